import { existsSync } from 'node:fs'
import type { Context } from '../context.ts'
import { BUILDPACK_APIS, type Check, platformsFrom } from '../row.ts'

const group = (...elements: string[]) => `[[order]]\n${elements.map(element).join('')}`
const element = (id: string) =>
  `[[order.group]]\nid = "${id.replace('?', '')}"\nversion = "1.0.0"\noptional = ${id.endsWith('?')}\n`

/** Component buildpacks of one letter that all say no, so that each expansion is tried; gives the groups tried. */
async function trials(
  context: Context,
  composites: Record<string, string[][]>,
  order: string,
): Promise<string[]> {
  const { place, buildpack, detect } = context
  for (const [id, orders] of Object.entries(composites)) {
    buildpack(id, { toml: orders.map((ids) => group(...ids)).join('') })
  }
  for (const id of 'abcdefgh')
    if (!existsSync(place.path(`buildpacks/${id}`))) buildpack(id, { detect: 'exit 100' })
  place.write('order.toml', order)
  const { stdout } = await detect()
  return stdout
    .split('======== Results ========\n')
    .slice(1)
    .map((text) => [...text.matchAll(/^(?:pass|fail|skip): (\w+)@/gm)].map(([, id]) => id).join(''))
}

/** analyzed.toml with a run image for this target. */
const target = (place: Context['place'], os: string, arch: string, distro = '') =>
  place.write(
    'layers/analyzed.toml',
    `[run-image]\nreference = "r"\n[run-image.target]\nos = "${os}"\narch = "${arch}"\n${distro}`,
  )
const DEBIAN = '[run-image.target.distro]\nname = "debian"\nversion = "12"\n'

/** cnb-spec §3.1 to §3.5 */
export const DETECTION: readonly Check[] = [
  {
    id: 'O-3',
    title: 'composites are expanded depth first, from left to right, the left one slowest',
    async run(context) {
      const { expect } = context
      const composites = {
        o: [
          ['a', 'b'],
          ['c', 'd'],
        ],
        p: [
          ['e', 'f'],
          ['g', 'h'],
        ],
      }
      expect(await trials(context, composites, group('o', 'p'))).toEqual(['abef', 'abgh', 'cdef', 'cdgh'])
      expect(await trials(context, composites, group('h', 'o', 'f'))).toEqual(['habf', 'hcdf'])
    },
  },
  {
    id: 'O-4',
    title: 'an optional composite is left out after all its expansions failed',
    async run(context) {
      const composites = { o: [['a'], ['b']] }
      context.expect(await trials(context, composites, group('c', 'o?', 'd'))).toEqual(['cad', 'cbd', 'cd'])
    },
  },
  {
    id: 'O-6',
    title: 'an element needs an ID and a version',
    async run({ detect, place, expect }) {
      for (const text of ['id = "a/b"', 'version = "1"']) {
        place.write('order.toml', `[[order]]\n[[order.group]]\n${text}\n`)
        expect((await detect()).code).toBe(1)
      }
    },
  },
  {
    id: 'O-7',
    title: 'an element whose ID was seen already is passed over',
    async run(context) {
      const composites = { o: [['a', 'b', 'a']] }
      context.expect(await trials(context, composites, group('b', 'o', 'c'))).toEqual(['bac'])
    },
  },
  {
    id: 'T-1',
    title:
      'the target of the run image is what buildpacks see; the distribution else is the build image’s own',
    platformApis: platformsFrom('0.12'),
    buildpackApis: ['0.9', '0.10', '0.12'],
    async run({ buildpack, order, detect, place, expect, isBuildpack }) {
      const print =
        'echo "<$CNB_TARGET_OS/$CNB_TARGET_ARCH/$CNB_TARGET_DISTRO_NAME/$CNB_TARGET_DISTRO_VERSION>"'
      buildpack('a/b', { detect: print })
      order(['a/b'])
      target(place, 'linux', 'riscv64', DEBIAN)
      const { stdout } = await detect(['-log-level', 'debug'])
      expect(stdout).toContain(isBuildpack('0.10') ? '<linux/riscv64/debian/12>' : '<///>')
      target(place, 'linux', 'riscv64')
      expect((await detect()).stdout).toContain('target distro name/version labels not found')
    },
  },
  {
    id: 'T-2',
    title: 'a buildpack is for a target that equals one of its own; what either leaves open matches',
    platformApis: platformsFrom('0.12'),
    async run({ buildpack, order, detect, place, expect }) {
      const code = async (toml: string) => {
        buildpack('a/b', { toml: `[[targets]]\n${toml}\n`, detect: 'exit 0' })
        order(['a/b'])
        return (await detect()).code
      }
      target(place, 'linux', 'arm64', DEBIAN)
      expect(await code('os = "linux"\narch = "arm64"')).toBe(0)
      expect(await code('arch = "arm64"\nvariant = "v9"')).toBe(0)
      expect(await code('')).toBe(0)
      expect(await code('os = "linux"\narch = "amd64"')).toBe(21)
      expect(await code('os = "linux"\narch = "amd64"\n[[targets]]\nos = "linux"\narch = "arm64"')).toBe(0)
      expect(await code('[[targets.distros]]\nname = "debian"\nversion = "12"')).toBe(0)
      expect(await code('[[targets.distros]]\nname = "debian"')).toBe(0)
      expect(await code('[[targets.distros]]\nname = "debian"\nversion = "11"')).toBe(21)
    },
  },
  {
    id: 'T-3',
    title: 'a buildpack without targets is for linux where it has bin/build, for anything with stack `*`',
    platformApis: platformsFrom('0.12'),
    async run({ buildpack, order, detect, place, expect }) {
      target(place, 'windows', 'amd64', '[run-image.target.distro]\nname = "w"\nversion = "1"\n')
      order(['a/b'])
      buildpack('a/b', { detect: 'exit 0', build: 'exit 0' })
      expect((await detect()).code).toBe(21)
      buildpack('a/b', { toml: '[[stacks]]\nid = "*"\n', detect: 'exit 0', build: 'exit 0' })
      expect((await detect()).code).toBe(0)
    },
  },
  {
    id: 'T-4',
    title: 'a required buildpack for another target is an error of its own: 21; not before P 0.12',
    async run({ buildpack, order, detect, place, expect, isPlatform }) {
      target(place, 'linux', 'arm64', DEBIAN)
      buildpack('a/b', { toml: '[[targets]]\nos = "linux"\narch = "riscv64"\n', detect: 'exit 0' })
      order(['a/b'])
      const ended = await detect()
      expect(ended.code).toBe(isPlatform('0.12') ? 21 : 0)
      expect(ended.stdout.includes('unable to satisfy target os/arch constraints')).toBe(isPlatform('0.12'))
    },
  },
  {
    id: 'T-5',
    title: 'of a composite only its members are held to the target',
    platformApis: platformsFrom('0.12'),
    async run({ buildpack, detect, detected, place, expect }) {
      const elsewhere = '[[targets]]\nos = "linux"\narch = "riscv64"\n'
      buildpack('a/composite', { toml: group('a/b') + elsewhere })
      place.write('order.toml', group('a/composite'))
      target(place, 'linux', 'arm64', DEBIAN)
      buildpack('a/b', { detect: 'exit 0' })
      expect((await detect()).code).toBe(0)
      expect(detected()).toEqual(['a/b'])
      buildpack('a/b', { toml: elsewhere, detect: 'exit 0' })
      expect((await detect()).code).toBe(21)
    },
  },
  {
    id: 'X-1',
    title: 'who does not know the execution environment is passed over without failing the group',
    platformApis: platformsFrom('0.14'),
    buildpackApis: ['0.11', '0.12'],
    async run({ buildpack, order, detect, detected, expect, isPlatform, isBuildpack }) {
      buildpack('a/test', { toml: 'exec-env = ["test"]', detect: 'exit 0' })
      buildpack('a/any', { toml: 'exec-env = ["*"]', detect: 'exit 0' })
      buildpack('a/plain', { detect: 'exit 0' })
      order(['a/test'], ['a/test', 'a/any', 'a/plain'])
      const ids = async (env: Record<string, string>) => {
        expect((await detect([], env)).code).toBe(0)
        return detected()
      }
      expect(await ids({ CNB_EXEC_ENV: 'test' })).toEqual(['a/test'])
      const isKnown = isPlatform('0.15') && isBuildpack('0.12')
      expect(await ids({})).toEqual(isKnown ? ['a/any', 'a/plain'] : ['a/test'])
    },
  },
  {
    id: 'DT-1',
    title: 'bin/detect runs in the app’s directory, once per detection, and its output is kept together',
    async run({ buildpack, order, detect, place, expect }) {
      buildpack('a/b', { detect: 'echo $PWD; echo ran >>ran; echo err >&2; sleep 0.1; echo end' })
      buildpack('a/no', { detect: 'echo no; exit 100' })
      order(['a/b', 'a/no'], ['a/b'])
      const { stdout } = await detect(['-log-level', 'debug'])
      expect(place.read('app/ran')).toBe('ran\n')
      expect(stdout).toContain(`======== Output: a/b@1.0.0 ========\n${place.path('app')}\nerr\nend\n`)
    },
  },
  {
    id: 'DT-2',
    title: 'bin/detect gets platform and plan as arguments, and as variables what its API promises',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, order, detect, place, expect, isBuildpack, isPlatform }) {
      buildpack('a/b', {
        detect: `echo "<$1>"; [ -f "$2" ] && echo plan; echo "<$CNB_BUILDPACK_DIR>"; echo "<\${CNB_PLATFORM_DIR-none}>"; [ "$CNB_BUILD_PLAN_PATH" = "$2" ] && echo same; echo "<\${CNB_EXEC_ENV-none}>"`,
      })
      order(['a/b'])
      const { stdout } = await detect(['-log-level', 'debug'], { CNB_EXEC_ENV: 'test' })
      const lines = stdout.split('======== Output: a/b@1.0.0 ========\n')[1]?.split('\n=')[0]?.split('\n')
      const at = place.path('platform')
      expect(lines).toEqual([
        `<${at}>`,
        'plan',
        `<${place.path('buildpacks/a_b/1.0.0')}>`,
        ...(isBuildpack('0.8') ? [`<${at}>`, 'same'] : ['<none>']),
        isBuildpack('0.12') && isPlatform('0.15') ? '<test>' : expect.stringMatching(/<(none|test)>/),
      ])
      if (!isBuildpack('0.12')) expect(lines?.at(-1)).toBe('<none>')
    },
  },
  {
    id: 'DT-3',
    title:
      'the plan is an empty file that is gone afterwards, read only when bin/detect passed; nonsense is an error',
    async run({ buildpack, order, detect, place, expect }) {
      buildpack('a/b', { detect: 'wc -c <"$2" >size; echo "$2" >plan' })
      order(['a/b'])
      expect((await detect()).code).toBe(0)
      expect(place.read('app/size').trim()).toBe('0')
      expect(existsSync(place.read('app/plan').trim())).toBe(false)
      buildpack('a/b', { detect: 'echo "[[" >"$2"' })
      expect((await detect()).code).toBe(21)
      buildpack('a/b', { detect: 'echo "[[" >"$2"; exit 100' })
      expect((await detect()).code).toBe(20)
    },
  },
  {
    id: 'DT-3',
    title: 'each bin/detect has a plan of its own, also where there are more of them than run at a time',
    async run({ buildpack, order, detect, place, expect }) {
      const ids = Array.from({ length: 20 }, (_, index) => `a/b${index}`)
      for (const id of ids) buildpack(id, { detect: 'echo "$2" >>plans' })
      order(ids)
      expect((await detect()).code).toBe(0)
      expect(new Set(place.read('app/plans').trim().split('\n')).size).toBe(ids.length)
    },
  },
  {
    id: 'DT-4',
    title: 'status 0 passes, 100 fails, any other is an error',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, order, detect, expect }) {
      order(['a/b'])
      for (const [status, code] of [
        [0, 0],
        [100, 20],
        [1, 21],
        [101, 21],
      ]) {
        buildpack('a/b', { detect: `exit ${status}` })
        expect((await detect()).code).toBe(code)
      }
    },
  },
  {
    id: 'DT-6',
    title: 'a top-level version in requires is an error',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, order, detect, expect }) {
      buildpack('a/b', { detect: `printf '[[requires]]\\nname = "x"\\nversion = "1"\\n' >"$2"` })
      order(['a/b'])
      expect((await detect()).code).toBe(21)
    },
  },
  {
    id: 'DV-1',
    title: 'a required no fails the group, an optional one drops out, and somebody must be left',
    async run({ buildpack, order, detect, detected, expect }) {
      buildpack('a/no', { detect: 'exit 100' })
      buildpack('a/err', { detect: 'exit 1' })
      buildpack('a/yes', { detect: 'exit 0' })
      order(['a/no', 'a/yes'], ['a/no?', 'a/err?'], ['a/no?', 'a/yes', 'a/err?'])
      expect((await detect()).code).toBe(0)
      expect(detected()).toEqual(['a/yes'])
    },
  },
  {
    id: 'DV-2',
    title: 'no group: 20, or 21 where a buildpack erred in any of them',
    async run({ buildpack, order, detect, expect }) {
      buildpack('a/no', { detect: 'exit 100' })
      buildpack('a/err', { detect: 'exit 1' })
      order(['a/no'], ['a/no'])
      const refused = await detect()
      expect(refused.stdout).toContain('ERROR: No buildpack groups passed detection.')
      expect(refused.stdout).toContain('Please check that you are running against the correct path.')
      expect(refused.code).toBe(20)
      order(['a/err'], ['a/no'])
      expect((await detect()).code).toBe(21)
    },
  },
  {
    id: 'DV-3',
    title: 'a descriptor that is missing in the middle of the walk ends it: 22',
    async run({ buildpack, order, detect, expect }) {
      buildpack('a/composite', { toml: group('a/gone') })
      order(['a/composite'])
      const ended = await detect()
      expect(ended.code).toBe(22)
    },
  },
]
