import { existsSync, readdirSync, rmSync } from 'node:fs'
import { parseReference } from '../../../oci/reference.ts'
import { randomImage } from '../../../oci/testing/index.ts'
import type { Context } from '../context.ts'
import type { Check } from '../row.ts'
import { layer, prepare } from './exported.ts'

const LABEL = 'io.buildpacks.lifecycle.cache.metadata'

async function exported(context: Context, flags: readonly string[]) {
  const ended = await context.export([...flags, `${context.images}/app`])
  context.expect(ended.code).toBe(0)
  return ended
}

/** cnb-spec §5.10 */
export const CACHE: readonly Check[] = [
  {
    id: 'CA-4',
    title: 'a cache image: the cached layers and a label that says which is which; restored from there',
    async run(context) {
      const { place, images, restore, expect } = context
      await prepare(context)
      layer(context, 'c', 'cache = true')
      layer(context, 'both', 'cache = true\nlaunch = true')
      const flags = ['-cache-image', `${images}/cache`]
      await exported(context, flags)
      const { config } = await context.image('cache')
      const { buildpacks } = JSON.parse(config.config?.Labels?.[LABEL] ?? 'null')
      const shas = Object.values<{ sha: string }>(buildpacks[0].layers).map(({ sha }) => sha)
      expect([...config.rootfs.diff_ids].sort()).toEqual(shas.sort())
      expect(config.os).toBe('linux')
      rmSync(place.path('layers/a_b'), { recursive: true })
      expect((await context.analyze(['-run-image', `${images}/run:base`, `${images}/app`])).code).toBe(0)
      expect((await restore(flags)).code).toBe(0)
      expect(place.read('layers/a_b/c/file')).toBe('c')
      expect(place.read('layers/a_b/both/file')).toBe('both')
    },
  },
  {
    id: 'CA-4',
    title: 'a cache image that is none is ignored, and one without layers has one that is empty',
    async run(context) {
      const { images, restore, expect, place } = context
      await prepare(context)
      const reference = parseReference(`${images}/cache:latest`)
      await randomImage({
        repository: context.registry.repository(reference),
        tags: ['latest'],
        config: { Labels: { [LABEL]: 'no JSON' } },
      })
      const flags = ['-cache-image', `${images}/cache`]
      expect((await restore(flags)).code).toBe(0)
      expect(readdirSync(place.path('layers'))).not.toContain('a_b')
      await exported(context, flags)
      const layers = await context.entries('cache')
      expect(layers).toEqual([[]])
    },
  },
  {
    id: 'CA-5',
    title: '-parallel, or its variable: the same image and the same cache; without a cache a warning',
    async run(context) {
      const { place, images, expect } = context
      await prepare(context)
      layer(context, 'c', 'cache = true')
      layer(context, 'both', 'cache = true\nlaunch = true')
      const flags = ['-cache-dir', place.path('cache')]
      const cached = () => readdirSync(place.path('cache/committed')).sort()
      await exported(context, flags)
      const { digest } = await context.image('app')
      const files = cached()
      for (const [args, env] of [
        [['-parallel'], {}],
        [[], { CNB_PARALLEL_EXPORT: 'true' }],
      ] as const) {
        rmSync(place.path('cache/committed'), { recursive: true })
        expect((await context.export([...flags, ...args, `${images}/app`], env)).code).toBe(0)
        expect((await context.image('app')).digest).toBe(digest)
        expect(cached()).toEqual(files)
      }
      expect(existsSync(place.path('cache/staging'))).toBe(false)
      const none = await exported(context, ['-parallel'])
      expect(none.stdout).toMatch(/^Warning: .*cache/m)
    },
  },
]
