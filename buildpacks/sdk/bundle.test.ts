import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const top = new URL('../..', import.meta.url).pathname

/** Files that the bundle of an entry is made of: by room, and packages. */
async function inputs(contents: string): Promise<readonly string[]> {
  const { metafile } = await build({
    stdin: { contents, resolveDir: top, loader: 'ts' },
    absWorkingDir: top,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  })
  const names = Object.keys(metafile.inputs).map((path) => /^(node_modules\/)?[^/]+/.exec(path)?.[0] ?? path)
  return [...new Set(names)].filter((name) => name !== '<stdin>').sort()
}

describe('a bundle of a buildpack', () => {
  it('never pulls the command, the lifecycle or a package that the SDK does not need', async () => {
    expect(
      await inputs(
        "import { defineBuildpack, main, pass } from './buildpacks/sdk/index.ts'\nvoid main(defineBuildpack({ detect: () => pass(), build: () => ({}) }))",
      ),
    ).toEqual(['buildpacks', 'core', 'node_modules/smol-toml', 'node_modules/undici', 'sources', 'spec'])
  })
})
