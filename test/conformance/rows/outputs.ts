import { existsSync } from 'node:fs'
import { BUILDPACK_APIS, type Check, platformsFrom } from '../row.ts'
import { prepare } from './exported.ts'

/** A build directory may hold the files of the build before. */
export const FRESH = 'rm -f "$1/launch.toml"; '

/** Shell that writes a process as the Buildpack API has it, behind those that are there. */
export function writesProcess(isArray: boolean, type: string, more = '', command = 'run'): string {
  const form = isArray ? `["${command}"]` : `"${command}"`
  return `printf '[[processes]]\\ntype = "${type}"\\ncommand = ${form}\\n${more}' >>"$1/launch.toml"`
}

const SBOM = 'sbom-formats = ["application/vnd.cyclonedx+json"]'

/** cnb-spec §4.5 */
export const OUTPUTS: readonly Check[] = [
  {
    id: 'BU-7',
    title: 'directories named build, launch and store are no layers',
    async run(context) {
      const { buildpack, order, create, images, expect } = context
      const files = 'for n in build launch store real; do mkdir $n; echo $n >$n/file; done'
      buildpack('a/b', {
        detect: 'exit 0',
        build: `cd "$1"; ${files}; printf '[types]\\nlaunch = true\\n' >real.toml`,
      })
      order(['a/b'])
      expect((await create(['-run-image', await context.runImage(), `${images}/app`])).code).toBe(0)
      const names = (await context.entries('app')).flat().map(({ entry }) => entry.name)
      const inLayers = names.filter((name) => name.startsWith(context.place.path('layers/a_b/')))
      expect(inLayers).toEqual(
        ['layers/a_b/real', 'layers/a_b/real/file'].map((name) => context.place.path(name)),
      )
    },
  },
  {
    id: 'PR-1',
    title: 'a process type is empty or has one of / > < : | & \\: 62; any other is a name',
    async run(context) {
      const { expect, images } = context
      for (const type of ['', 'a/b', 'a>b', 'a<b', 'a:b', 'a|b', 'a&b', 'a\\\\b']) {
        await prepare(context, { processes: [type] })
        expect([type, (await context.export([`${images}/app`])).code]).toEqual([type, 62])
      }
      await prepare(context, { processes: ['aZ9._-'], defaultType: 'aZ9._-' })
      expect((await context.export([`${images}/app`])).code).toBe(0)
      expect((await context.config('app')).Entrypoint).toEqual(['/cnb/process/aZ9._-'])
    },
  },
  {
    id: 'PR-2',
    title: 'a later process replaces one of its type and its default; two defaults in one buildpack are 52',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect, isBuildpack }) {
      const array = isBuildpack('0.9')
      const metadata = () => place.read('layers/config/metadata.toml')
      buildpack('a/one', {
        build: `${FRESH}${writesProcess(array, 'web', 'default = true\\n', 'one')}; ${writesProcess(array, 'other')}`,
      })
      buildpack('a/two', { build: FRESH + writesProcess(array, 'worker', 'default = true\\n', 'two') })
      group('a/one', 'a/two')
      expect((await build()).code).toBe(0)
      expect(metadata()).toContain('buildpack-default-process-type = "worker"')
      expect(metadata()).toMatch(/type = "other"[\s\S]*type = "web"[\s\S]*type = "worker"/)
      buildpack('a/two', { build: FRESH + writesProcess(array, 'web', '', 'two') })
      const ended = await build()
      expect(ended.stdout).toContain(
        'redefining the following default process type with a process not marked as default',
      )
      expect(metadata()).not.toContain('buildpack-default-process-type')
      expect(metadata()).not.toContain('"one"')
      const twice = writesProcess(array, 'a', 'default = true\\n')
      buildpack('a/two', { build: `${FRESH}${twice}; ${twice.replace('"a"', '"b"')}` })
      expect((await build()).code).toBe(52)
    },
  },
  {
    id: 'PR-3',
    title: 'from B 0.9 on `command` is an array and `direct` no key, before it is a string',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, expect, isBuildpack }) {
      const array = isBuildpack('0.9')
      group('a/b')
      const code = async (isArray: boolean, more = '') => {
        buildpack('a/b', { build: FRESH + writesProcess(isArray, 'web', more) })
        return (await build()).code
      }
      expect(await code(array)).toBe(0)
      expect(await code(!array)).toBe(52)
      expect(await code(array, 'direct = true\\n')).toBe(array ? 52 : 0)
    },
  },
  {
    id: 'PR-4',
    title: 'metadata.toml: processes by type; a command with its first word only before P 0.10',
    async run({ buildpack, group, build, place, expect, isPlatform }) {
      buildpack('a/b', {
        build: `printf '[[processes]]\\ntype = "web"\\ncommand = ["run", "always"]\\nargs = ["x"]\\ndefault = true\\n[[processes]]\\ntype = "a"\\ncommand = ["a"]\\n' >"$1/launch.toml"`,
      })
      group('a/b')
      expect((await build()).code).toBe(0)
      const metadata = place.read('layers/config/metadata.toml')
      expect(metadata).toMatch(/type = "a"[\s\S]*type = "web"/)
      expect(metadata).toContain(isPlatform('0.10') ? 'command = ["run", "always"]' : 'command = "run"')
      expect(metadata).toContain(isPlatform('0.10') ? 'args = ["x"]' : 'args = ["always", "x"]')
      expect(metadata).not.toMatch(/^\s*default =/m)
    },
  },
  {
    id: 'PR-5',
    title: 'a working directory is kept from B 0.8 on, and before ignored with a warning',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect, isBuildpack }) {
      buildpack('a/b', { build: writesProcess(isBuildpack('0.9'), 'web', 'working-dir = "/w"\\n') })
      group('a/b')
      const ended = await build()
      expect(ended.code).toBe(0)
      const kept = place.read('layers/config/metadata.toml').includes('working-dir = "/w"')
      expect(kept).toBe(isBuildpack('0.8'))
      if (!isBuildpack('0.8')) expect(ended.stdout).toContain('Warning: ')
    },
  },
  {
    id: 'SL-1',
    title: 'slices of all buildpacks one after the other',
    async run({ buildpack, group, build, place, expect }) {
      for (const id of ['one', 'two'])
        buildpack(`a/${id}`, { build: `printf '[[slices]]\\npaths = ["${id}"]\\n' >"$1/launch.toml"` })
      group('a/one', 'a/two')
      expect((await build()).code).toBe(0)
      expect(place.read('layers/config/metadata.toml')).toMatch(/paths = \["one"\][\s\S]*paths = \["two"\]/)
    },
  },
  {
    id: 'LB-1',
    title: 'labels of all buildpacks, in order',
    async run({ buildpack, group, build, place, expect }) {
      for (const id of ['one', 'two'])
        buildpack(`a/${id}`, {
          build: `printf '[[labels]]\\nkey = "k"\\nvalue = "${id}"\\n' >"$1/launch.toml"`,
        })
      group('a/one', 'a/two')
      expect((await build()).code).toBe(0)
      expect(place.read('layers/config/metadata.toml')).toMatch(/value = "one"[\s\S]*value = "two"/)
    },
  },
  {
    id: 'SB-1',
    title: 'an SBOM must be of a format that the buildpack declares; parameters of a media type do not count',
    platformApis: platformsFrom('0.8'),
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, expect }) {
      group('a/b')
      const code = async (file: string, toml: string) => {
        buildpack('a/b', { toml, build: `echo "{}" >"$1/${file}"` })
        return (await build()).code
      }
      expect(await code('launch.sbom.cdx.json', SBOM)).toBe(0)
      expect(await code('launch.sbom.cdx.json', SBOM.replace('json"', 'json;version=1.4"'))).toBe(0)
      expect(await code('launch.sbom.spdx.json', SBOM)).toBe(52)
      expect(await code('build.sbom.cdx.json', '')).toBe(52)
      expect(await code('launch.sbom.abc.json', SBOM)).toBe(52)
    },
  },
  {
    id: 'SB-2',
    title: 'SBOMs are copied to <layers>/sbom: launch, build, and cache for cached layers',
    platformApis: platformsFrom('0.8'),
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/b', {
        toml: SBOM,
        build:
          'cd "$1"; for n in launch build l c; do echo "{}" >$n.sbom.cdx.json; done; printf "[types]\\nlaunch = true\\n" >l.toml; printf "[types]\\ncache = true\\n" >c.toml; mkdir l c',
      })
      group('a/b')
      expect((await build()).code).toBe(0)
      for (const path of ['launch/a_b', 'build/a_b', 'launch/a_b/l', 'build/a_b/c', 'cache/a_b/c']) {
        expect([path, existsSync(place.path('layers/sbom', path, 'sbom.cdx.json'))]).toEqual([path, true])
      }
      expect(existsSync(place.path('layers/sbom/cache/a_b/l'))).toBe(false)
    },
  },
  {
    id: 'SB-3',
    title: 'the legacy bill of materials is a file of its own from P 0.9 on',
    platformApis: platformsFrom('0.9'),
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/b', { build: `printf '[[bom]]\\nname = "n"\\n' >"$1/launch.toml"` })
      group('a/b')
      expect((await build()).code).toBe(0)
      expect(JSON.parse(place.read('layers/sbom/launch/sbom.legacy.json'))).toMatchObject([
        { name: 'n', buildpack: { id: 'a/b', version: '1.0.0' } },
      ])
      expect(place.read('layers/sbom/build/sbom.legacy.json').trim()).toBe('null')
      expect(place.read('layers/config/metadata.toml')).not.toContain('bom')
    },
  },
  {
    id: 'MD-1',
    title: 'metadata.toml has the buildpacks with their APIs, and the processes with theirs',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect, isBuildpack, buildpackApi }) {
      buildpack('a/b', { build: writesProcess(isBuildpack('0.9'), 'web') })
      group('a/b')
      expect((await build()).code).toBe(0)
      const metadata = place.read('layers/config/metadata.toml')
      expect(metadata).toMatch(new RegExp(`id = "a/b"\\s+version = "1.0.0"\\s+api = "${buildpackApi}"`))
      expect(metadata).toMatch(new RegExp(`direct = ${isBuildpack('0.9')}`))
      expect(metadata).toContain('buildpack-id = "a/b"')
    },
  },
]
