import { existsSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import type { Context } from '../context.ts'
import { type Check, platformsFrom } from '../row.ts'

/** Every combination of build, cache and launch, as `b`, `bc`, `bcl` …; a layer of that name has those types. */
const COMBINATIONS = ['bcl', 'bc', 'bl', 'b', 'cl', 'c', 'l'] as const

const TYPES = { b: 'build', c: 'cache', l: 'launch' } as const

function typesOf(combination: string): string {
  return [...combination].map((letter) => `${TYPES[letter as keyof typeof TYPES]} = true`).join('\\n')
}

const makes = (name: string, content = name) =>
  `mkdir -p ${name}; printf '${content}' >${name}/file; printf '[types]\\n${typesOf(name)}\\n[metadata]\\nv = 1\\n' >${name}.toml`

/** Builds an image and a cache from layers of these types, then leaves the place as a new build finds it. */
async function built(context: Context, build: string): Promise<void> {
  const { buildpack, order, create, images, place, expect } = context
  buildpack('a/b', { toml: SBOM, detect: 'exit 0', build: `cd "$1"\n${build}` })
  order(['a/b'])
  expect((await create(['-run-image', await context.runImage(), `${images}/app`])).code).toBe(0)
  clean(context)
  expect((await context.analyze(['-run-image', `${images}/run:base`, `${images}/app`])).code).toBe(0)
  context.group('a/b')
  expect(existsSync(place.path('layers/a_b'))).toBe(false)
}

/** An empty layers volume. */
function clean({ place }: Context): void {
  for (const name of readdirSync(place.path('layers'))) {
    if (name !== 'config') rmSync(place.path('layers', name), { recursive: true })
  }
}

const SBOM = 'sbom-formats = ["application/vnd.cyclonedx+json"]'

/** cnb-spec §4.6 */
export const RESTORATION: readonly Check[] = [
  {
    id: 'LR-4',
    title:
      'what comes back of a layer is as its types say: contents of cached ones, metadata of launched ones, else nothing',
    async run(context) {
      const { restore, place, expect } = context
      await built(context, COMBINATIONS.map((name) => makes(name)).join('\n'))
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      const there = (name: string) => existsSync(place.path('layers/a_b', name))
      const found = COMBINATIONS.map((name) => [name, there(`${name}.toml`), there(`${name}/file`)])
      expect(found).toEqual([
        ['bcl', true, true],
        ['bc', true, true],
        ['bl', false, false],
        ['b', false, false],
        ['cl', true, true],
        ['c', true, true],
        ['l', true, false],
      ])
    },
  },
  {
    id: 'LR-4',
    title: 'a cached layer that is not the one of the image does not come back, nor its metadata',
    async run(context) {
      const { restore, place, expect } = context
      await built(context, [makes('cl'), makes('c')].join('\n'))
      const [, , ofBoth = ''] = (await context.image('app')).config.rootfs.diff_ids
      const analyzed = place.read('layers/analyzed.toml')
      expect(analyzed).toContain(ofBoth)
      place.write('layers/analyzed.toml', analyzed.replaceAll(ofBoth, `sha256:${'0'.repeat(64)}`))
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      expect(readdirSync(place.path('layers/a_b')).sort()).toEqual(['c', 'c.toml'])
    },
  },
  {
    id: 'LR-1',
    title: 'without a cache no contents come back, and no metadata of cached layers',
    async run(context) {
      const { restore, place, expect } = context
      await built(context, [makes('cl'), makes('c'), makes('l')].join('\n'))
      expect((await restore()).code).toBe(0)
      expect(readdirSync(place.path('layers/a_b')).sort()).toEqual(['l.toml'])
    },
  },
  {
    id: 'LR-2',
    title: 'a restored <layer>.toml has the metadata and no types',
    async run(context) {
      const { restore, place, expect } = context
      await built(context, [makes('c'), makes('l')].join('\n'))
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      for (const name of ['c', 'l']) {
        const text = place.read(`layers/a_b/${name}.toml`)
        expect(text).toMatch(/\[metadata\]\n\s*v = 1\n/)
        expect(text).not.toMatch(/launch|cache|true/)
      }
    },
  },
  {
    id: 'LR-3',
    title: 'only buildpacks of the group are restored, whatever their version',
    async run(context) {
      const { restore, place, group, expect } = context
      await built(context, makes('c'))
      group('a/other')
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      expect(existsSync(place.path('layers/a_b'))).toBe(false)
      group('a/b')
      place.write('layers/group.toml', place.read('layers/group.toml').replace('1.0.0', '2.0.0'))
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      expect(place.read('layers/a_b/c/file')).toBe('c')
    },
  },
  {
    id: 'LR-5',
    title: 'a cached layer that is missing or broken is a warning, and the layer is not there',
    async run(context) {
      const { restore, place, expect } = context
      for (const breakBlob of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 512)]) {
        rmSync(place.path('cache/committed'), { recursive: true, force: true })
        clean(context)
        await built(context, makes('c', 'x'.repeat(2000)))
        const blobs = readdirSync(place.path('cache/committed')).filter((name) => name.endsWith('.tar'))
        for (const name of blobs) breakBlob(place.path('cache/committed', name))
        const ended = await restore(['-cache-dir', place.path('cache')])
        expect(ended.stdout).toContain('Warning: ')
        expect(ended.code).toBe(0)
        expect(existsSync(place.path('layers/a_b/c'))).toBe(false)
      }
    },
  },
  {
    id: 'LR-6',
    title: 'SBOMs of cached and launched layers come back beside them, and <layers>/sbom is gone',
    platformApis: platformsFrom('0.8'),
    async run(context) {
      const { restore, place, expect } = context
      const sbom = (name: string) => `echo '{"of":"${name}"}' >${name}.sbom.cdx.json`
      await built(
        context,
        [makes('c'), sbom('c'), makes('l'), sbom('l'), sbom('launch'), sbom('build')].join('\n'),
      )
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      for (const name of ['c', 'l'])
        expect(place.read(`layers/a_b/${name}.sbom.cdx.json`)).toContain(`"${name}"`)
      expect(existsSync(place.path('layers/a_b/launch.sbom.cdx.json'))).toBe(false)
      expect(existsSync(place.path('layers/sbom'))).toBe(false)
    },
  },
  {
    id: 'LR-7',
    title: 'launch without directory keeps the old layer with new metadata, with one it is a new layer',
    async run(context) {
      const { buildpack, create, images, expect } = context
      await built(context, makes('l'))
      const old = (await context.image('app')).config.rootfs.diff_ids
      buildpack('a/b', {
        detect: 'exit 0',
        build: `printf '[types]\\nlaunch = true\\n[metadata]\\nv = 2\\n' >"$1/l.toml"`,
      })
      const again = () => create(['-run-image', `${images}/run:base`, `${images}/app`])
      const kept = await again()
      expect(kept.stdout).toContain("Reusing layer 'a/b:l'")
      const label = JSON.stringify(await context.label('app', 'io.buildpacks.lifecycle.metadata'))
      expect(label).toContain('"data":{"v":2}')
      expect((await context.image('app')).config.rootfs.diff_ids).toEqual(
        expect.arrayContaining(old.slice(2, 3)),
      )
      buildpack('a/b', { detect: 'exit 0', build: `cd "$1"; ${makes('l', 'changed')}` })
      expect((await again()).stdout).toContain("Adding layer 'a/b:l'")
    },
  },
  {
    id: 'LR-8',
    title: 'a restored layer has its modes, links and files',
    async run(context) {
      const { restore, place, expect, build, buildpack } = context
      await built(
        context,
        `${makes('c')}; echo '#!/bin/sh' >c/run; chmod 755 c/run; ln -s run c/link; mkdir -m 700 c/private`,
      )
      expect((await restore(['-cache-dir', place.path('cache')])).code).toBe(0)
      buildpack('a/b', { build: 'cd "$1/c"; stat -c "%A %N" run link private' })
      const { stdout } = await build()
      expect(stdout).toContain("-rwxr-xr-x 'run'\nlrwxrwxrwx 'link' -> 'run'\ndrwx------ 'private'\n")
    },
  },
  {
    id: 'CR-2',
    title: '-skip-restore brings nothing back but store.toml (from P 0.10 on)',
    async run(context) {
      const { create, buildpack, images, expect, isPlatform } = context
      await built(context, `${makes('c')}; printf '[metadata]\\nkept = 1\\n' >store.toml`)
      buildpack('a/b', { detect: 'exit 0', build: 'cd "$1"; echo "<$(ls)>"; true' })
      const ended = await create(['-skip-restore', '-run-image', `${images}/run:base`, `${images}/app`])
      expect(ended.stdout).toContain(isPlatform('0.10') ? '<store.toml>' : '<>')
    },
  },
  {
    id: 'R-2',
    title: 'skipping layers restores none',
    async run(context) {
      const { restore, place, expect } = context
      await built(context, makes('c'))
      expect((await restore(['-skip-layers', '-cache-dir', place.path('cache')])).code).toBe(0)
      expect(existsSync(place.path('layers/a_b/c'))).toBe(false)
    },
  },
]
