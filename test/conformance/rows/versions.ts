import { BUILDPACK_APIS, type Check, NEWEST_PLATFORM_API, PLATFORM_APIS } from '../row.ts'

const PHASES = ['analyzer', 'detector', 'restorer', 'builder', 'exporter', 'creator'] as const
const NEWEST = [NEWEST_PLATFORM_API]

/** Flags by the version of the Platform API that brought them. */
const FLAGS: readonly [flag: string, phase: string, since: string][] = [
  ['-run', 'analyzer', '0.12'],
  ['-skip-layers', 'analyzer', '0.9'],
  ['-insecure-registry', 'analyzer', '0.13'],
  ['-build-config', 'detector', '0.11'],
  ['-analyzed', 'detector', '0.10'],
  ['-system', 'detector', '0.15'],
  ['-run', 'restorer', '0.14'],
  ['-build-image', 'restorer', '0.10'],
  ['-daemon', 'restorer', '0.12'],
  ['-build-config', 'builder', '0.11'],
  ['-analyzed', 'builder', '0.12'],
  ['-launcher-sbom', 'exporter', '0.11'],
  ['-extended', 'exporter', '0.12'],
  ['-run', 'creator', '0.12'],
  ['-system', 'creator', '0.15'],
]

/** cnb-spec §1 */
export const VERSIONS: readonly Check[] = [
  {
    id: 'V-1',
    title: 'a version is <major>.<minor> or <major>, in the launcher and in a buildpack’s api',
    platformApis: NEWEST,
    async run({ run, launch, expect, buildpack, order, detect }) {
      for (const version of ['v0.15', '0.15']) {
        expect((await run('detector', ['foo'], { env: { CNB_PLATFORM_API: version } })).code).toBe(3)
        expect(launch({ as: 'web', env: { CNB_PLATFORM_API: version } }).status).toBe(0)
      }
      for (const version of ['1', '0.', '7', '0.x', '-1.0', '99999999999999999999.1']) {
        expect((await run('detector', ['foo'], { env: { CNB_PLATFORM_API: version } })).code).toBe(11)
        expect(launch({ as: 'web', env: { CNB_PLATFORM_API: version } }).status).toBe(11)
      }
      for (const [version, code] of [
        ['v0.12', 0],
        ['0.x', 12],
      ] as const) {
        buildpack('a/b', { api: version, detect: 'exit 0' })
        order(['a/b'])
        expect((await detect()).code).toBe(code)
      }
    },
  },
  {
    id: 'V-2',
    title: 'a version 0.x is met by the same version only',
    platformApis: NEWEST,
    async run({ run, launch, expect }) {
      for (const version of ['0.6', '0.16', '0.150', '1.15']) {
        const ended = await run('builder', [], { env: { CNB_PLATFORM_API: version } })
        expect(ended.stdout).toContain(`platform API version '${version}' is incompatible with the lifecycle`)
        expect(ended.code).toBe(11)
        expect(launch({ as: 'web', env: { CNB_PLATFORM_API: version } }).status).toBe(11)
      }
    },
  },
  {
    id: 'V-10',
    title: 'the Platform API is checked before flags and arguments, by every phase',
    platformApis: NEWEST,
    async run({ run, expect }) {
      for (const phase of PHASES) {
        const ended = await run(phase, ['-no-such-flag', 'foo'], { env: { CNB_PLATFORM_API: '0.1' } })
        expect(`${phase} ${ended.code}`).toBe(`${phase} 11`)
        expect(ended.stdout).toContain("platform API version '0.1' is incompatible with the lifecycle")
      }
    },
  },
  {
    id: 'V-11',
    title: 'without CNB_PLATFORM_API every phase and the launcher end with 11 and say what to set',
    platformApis: NEWEST,
    async run({ run, launch, expect }) {
      for (const phase of PHASES) {
        for (const version of [undefined, '', '  ']) {
          const ended = await run(phase, [], { env: { CNB_PLATFORM_API: version } })
          expect(ended.stdout).toContain("please set 'CNB_PLATFORM_API'")
          expect(`${phase} ${ended.code}`).toBe(`${phase} 11`)
        }
      }
      const { status, stderr } = launch({ env: { CNB_PLATFORM_API: '' } })
      expect(stderr).toContain("please set 'CNB_PLATFORM_API'")
      expect(status).toBe(11)
    },
  },
  {
    id: 'V-12',
    title: 'every supported version is accepted, and an unreadable one ends with 11',
    async run({ run, launch, expect }) {
      expect((await run('detector', ['foo'])).code).toBe(3)
      expect(launch({ as: 'web' }).status).toBe(0)
      expect((await run('detector', ['foo'], { env: { CNB_PLATFORM_API: 'bad' } })).code).toBe(11)
      expect(launch({ as: 'web', env: { CNB_PLATFORM_API: 'bad' } }).status).toBe(11)
    },
  },
  {
    id: 'V-13',
    title: '-version: of `lifecycle` without a Platform API, of a phase only with one',
    async run({ run, expect }) {
      const whole = await run('lifecycle', ['-version'], { env: { CNB_PLATFORM_API: undefined } })
      expect([whole.code, whole.stdout]).toEqual([0, '1.2.3-test\n'])
      const phase = await run('detector', ['-version'])
      expect([phase.code, phase.stdout]).toEqual([0, '1.2.3-test\n'])
      const without = await run('detector', ['-version'], { env: { CNB_PLATFORM_API: undefined } })
      expect(without.code).toBe(11)
    },
  },
  {
    id: 'V-14',
    title: 'a flag wins over its variable, a variable over the default',
    async run({ detect, run, place, buildpack, order, expect }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const env = { CNB_GROUP_PATH: place.path('layers/by-variable.toml') }
      expect((await detect(['-group', place.path('layers/by-flag.toml')], env)).code).toBe(0)
      expect(place.read('layers/by-flag.toml')).toContain('a/b')
      expect((await detect([], env)).code).toBe(0)
      expect(place.read('layers/by-variable.toml')).toContain('a/b')
      expect((await detect()).code).toBe(0)
      expect(place.read('layers/group.toml')).toContain('a/b')
      const variables = {
        CNB_LAYERS_DIR: place.path('layers'),
        CNB_APP_DIR: place.path('app'),
        CNB_BUILDPACKS_DIR: place.path('buildpacks'),
        CNB_PLATFORM_DIR: place.path('platform'),
        CNB_ORDER_PATH: place.path('order.toml'),
      }
      expect((await run('detector', [], { env: variables })).code).toBe(0)
    },
  },
  {
    id: 'V-15',
    title: 'a flag of a later Platform API is not defined: exit 2',
    async run({ run, expect, isPlatform }) {
      const codes = await Promise.all(
        FLAGS.map(async ([flag, phase, since]) => {
          const value = flag === '-daemon' || flag === '-skip-layers' ? [] : ['/nowhere']
          const ended = await run(phase, [flag, ...value, '-no-color=maybe'])
          const isDefined = !ended.stderr.includes(`flag provided but not defined: ${flag}\n`)
          expect(ended.code).toBe(2)
          return [`${phase} ${flag}`, isDefined, isPlatform(since)] as const
        }),
      )
      for (const [what, isDefined, expected] of codes)
        expect(`${what} ${isDefined}`).toBe(`${what} ${expected}`)
    },
  },
  {
    id: 'V-20',
    title: 'a group may mix Buildpack APIs, and each buildpack gets what its own promises',
    async run({ buildpack, group, build, place, expect }) {
      for (const api of BUILDPACK_APIS) {
        buildpack(`a/v${api}`, {
          api,
          build: `echo "v${api}: \${CNB_LAYERS_DIR-none} \${CNB_EXEC_ENV-none}"`,
        })
      }
      group(...BUILDPACK_APIS.map((api) => `a/v${api}`))
      let index = 0
      const mixed = place
        .read('layers/group.toml')
        .replaceAll(/api = ".*"/g, () => `api = "${BUILDPACK_APIS[index++]}"`)
      place.write('layers/group.toml', mixed)
      const ended = await build()
      expect(ended.stdout).toContain('v0.7: none none\n')
      expect(ended.stdout).toContain(`v0.8: ${place.path('layers/a_v0.8')} none\n`)
      expect(ended.stdout).toContain(`v0.11: ${place.path('layers/a_v0.11')} none\n`)
      expect(ended.stdout).toMatch(/^v0\.12: \S+/m)
      expect(ended.code).toBe(0)
    },
  },
  {
    id: 'V-21',
    title:
      'a module of an unsupported Buildpack API ends detector, restorer, builder, exporter and launcher with 12',
    async run({ buildpack, order, group, detect, build, restore, export: export_, launch, ...context }) {
      const { expect, place, images } = context
      buildpack('a/b', { api: '0.1', detect: `touch ${place.path('app/ran')}; exit 0`, build: 'exit 0' })
      order(['a/b'])
      const text = "buildpack API version '0.1' is incompatible with the lifecycle"
      group('a/b')
      place.write('layers/group.toml', place.read('layers/group.toml').replace(/api = .*/, 'api = "0.1"'))
      await context.analyzed(await context.runImage())
      place.write('layers/config/metadata.toml', '')
      for (const ended of [
        await detect(),
        await build(),
        await restore(),
        await export_([`${images}/app`]),
      ]) {
        expect(ended.stdout).toContain(text)
        expect(ended.code).toBe(12)
      }
      const { status, stderr } = launch({ metadata: '[[buildpacks]]\nid = "a/b"\napi = "0.1"\n' })
      expect(stderr).toContain(text)
      expect(status).toBe(12)
    },
  },
  {
    id: 'V-22',
    title: 'an element of the order without buildpack.toml ends the detector with 1',
    async run({ order, detect, expect }) {
      order(['a/missing'])
      const ended = await detect()
      expect(ended.stdout).toContain('ERROR: failed to initialize detector')
      expect(ended.code).toBe(1)
    },
  },
  {
    id: 'V-30',
    title: 'CNB_DEPRECATION_MODE changes nothing while no version is deprecated',
    buildpackApis: BUILDPACK_APIS,
    platformApis: PLATFORM_APIS,
    async run({ buildpack, order, detect, expect }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const ended = await detect([], { CNB_DEPRECATION_MODE: 'error' })
      expect(ended.stdout).not.toContain('deprecated')
      expect(ended.code).toBe(0)
    },
  },
]
