import { existsSync } from 'node:fs'
import { BUILDPACK_APIS, type Check } from '../row.ts'

const entry = (name: string, ...providers: string[]) =>
  `[[entries]]\n${providers.map((id) => `[[entries.providers]]\nid = "${id}"\nversion = "1.0.0"\n`).join('')}[[entries.requires]]\nname = "${name}"\n[entries.requires.metadata]\nn = 1\n[[entries.requires]]\nname = "${name}"\n[entries.requires.metadata]\nn = 2\n`

/** cnb-spec §4.1 */
export const BUILD: readonly Check[] = [
  {
    id: 'BU-1',
    title:
      'bin/build runs in the app’s directory in group order, and the first that fails ends the phase with 51',
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/one', { build: 'echo "one in $PWD"' })
      buildpack('a/two', { build: 'exit 9' })
      buildpack('a/three', { build: 'echo three' })
      group('a/one', 'a/two', 'a/three')
      const ended = await build()
      expect(ended.stdout).toContain(`one in ${place.path('app')}\n`)
      expect(ended.stdout).not.toContain('three')
      expect(ended.code).toBe(51)
      expect(existsSync(place.path('layers/config/metadata.toml'))).toBe(false)
    },
  },
  {
    id: 'BU-2',
    title: 'bin/build gets its layers directory, platform and plan as arguments; old SBOMs are gone',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/b', { build: 'echo "<$1> <$2>"; cat "$3"; [ -d "$1" ] && echo there; echo "$3" >plan' })
      group('a/b')
      place.write('layers/plan.toml', entry('x', 'a/b'))
      const ended = await build()
      const at = place.path('layers/a_b')
      expect(ended.stdout).toContain(`<${at}> <${place.path('platform')}>\n[[entries]]\n  name = "x"\n`)
      expect(ended.stdout).toContain('there\n')
      expect(existsSync(place.read('app/plan').trim())).toBe(false)
    },
  },
  {
    id: 'BU-3',
    title: 'the variables of bin/build are what its API promises',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect, isBuildpack, isPlatform }) {
      buildpack('a/b', {
        build: `for v in BUILDPACK_DIR PLATFORM_DIR LAYERS_DIR TARGET_OS TARGET_ARCH EXEC_ENV; do n=CNB_$v; echo "$v=\${!n-none}"; done; [ "$CNB_BP_PLAN_PATH" = "$3" ] && echo plan`,
      })
      group('a/b')
      place.write(
        'layers/analyzed.toml',
        '[run-image]\nreference = "r"\n[run-image.target]\nos = "linux"\narch = "arm64"\n',
      )
      const { stdout } = await build([], { CNB_EXEC_ENV: 'test' })
      const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1]
      expect(value('BUILDPACK_DIR')).toBe(place.path('buildpacks/a_b/1.0.0'))
      expect(value('PLATFORM_DIR')).toBe(isBuildpack('0.8') ? place.path('platform') : 'none')
      expect(value('LAYERS_DIR')).toBe(isBuildpack('0.8') ? place.path('layers/a_b') : 'none')
      expect(stdout.includes('plan\n')).toBe(isBuildpack('0.8'))
      if (!isBuildpack('0.10')) expect([value('TARGET_OS'), value('TARGET_ARCH')]).toEqual(['none', 'none'])
      else if (isPlatform('0.12'))
        expect([value('TARGET_OS'), value('TARGET_ARCH')]).toEqual(['linux', 'arm64'])
      if (!isBuildpack('0.12')) expect(value('EXEC_ENV')).toBe('none')
      else if (isPlatform('0.15')) expect(value('EXEC_ENV')).toBe('test')
    },
  },
  {
    id: 'BU-4',
    title:
      'a requirement goes to the first who provides it, and on to the next where that one leaves it unmet',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect }) {
      const print = 'echo "$(grep -c name "$3") in $(basename "$1")"'
      buildpack('a/one', { build: `${print}; printf '[[unmet]]\\nname = "y"\\n' >"$1/build.toml"` })
      buildpack('a/two', { build: `${print}; grep name "$3"` })
      buildpack('a/three', { build: print })
      group('a/one', 'a/two', 'a/three')
      const all = ['a/one', 'a/two', 'a/three']
      place.write('layers/plan.toml', entry('x', ...all) + entry('y', ...all) + entry('z', 'a/three'))
      const ended = await build()
      expect(ended.stdout).toContain('4 in a_one\n2 in a_two\n')
      expect(ended.stdout).toMatch(/a_two\n\s*name = "y"\n\s*name = "y"\n2 in a_three\n/)
      for (const name of ['"z"', '""']) {
        buildpack('a/one', { build: `printf '[[unmet]]\\nname = ${name}\\n' >"$1/build.toml"` })
        expect((await build()).code).toBe(52)
      }
    },
  },
  {
    id: 'BU-5',
    title: 'a layer for nothing is renamed <layer>.ignore; flags outside [types] are an error: 52',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/b', {
        build:
          'cd "$1"; mkdir none flagless kept; printf "[metadata]\\nk = 1\\n" >none.toml; printf "[types]\\nlaunch = false\\n" >flagless.toml; printf "[types]\\ncache = true\\n" >kept.toml',
      })
      group('a/b')
      expect((await build()).code).toBe(0)
      const there = (name: string) => existsSync(place.path('layers/a_b', name))
      expect([there('none'), there('none.ignore')]).toEqual([false, true])
      expect([there('flagless'), there('flagless.ignore')]).toEqual([false, true])
      expect([there('kept'), there('kept.ignore')]).toEqual([true, false])
      buildpack('a/b', { build: 'printf "launch = true\\n" >"$1/l.toml"' })
      const ended = await build()
      expect(ended.stdout).toContain('should be in the types table of')
      expect(ended.code).toBe(52)
    },
  },
  {
    id: 'BU-6',
    title: 'a directory without <layer>.toml is left as it is',
    async run({ buildpack, group, build, place, expect }) {
      buildpack('a/b', { build: 'mkdir "$1/untold"' })
      group('a/b')
      expect((await build()).code).toBe(0)
      expect(existsSync(place.path('layers/a_b/untold'))).toBe(true)
    },
  },
]
