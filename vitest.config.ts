import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * `unit` is what `npm run check` runs all day: it needs no system package, no network and no root.
 * `integration` is what crosses rooms or needs real parts (a registry, a sandbox, package registries).
 */
export default defineConfig({
  test: {
    // One fewer than there are cores is the default, and leaves one of two idle.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{core,spec,oci,sources,native,lifecycle,buildpacks,builders,platform,bench}/**/*.test.ts',
          ],
          exclude: ['**/*.integration.test.ts', '**/node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['**/*.integration.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'dist/**'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
