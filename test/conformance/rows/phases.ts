import { existsSync, readdirSync } from 'node:fs'
import { type Check, platformsFrom } from '../row.ts'

const PROVIDES = `printf '[[provides]]\\nname = "x"\\n[[requires]]\\nname = "x"\\n' >"$2"`

/** cnb-spec §2: the command line, files in and out; images are in registry.ts. */
export const PHASES: readonly Check[] = [
  {
    id: 'C-1',
    title: 'one program: the phase by the name it is called by, or by subcommand; another is 3',
    async run({ run, expect }) {
      for (const [command, args] of [
        ['detector', ['foo']],
        ['/cnb/lifecycle/detector', ['foo']],
        ['detector.exe', ['foo']],
        ['lifecycle', ['detect', 'foo']],
      ] as const) {
        expect((await run(command, args)).stdout).toContain('received unexpected arguments')
      }
      const unknown = await run('lifecycle', ['walk'])
      expect([unknown.code, unknown.stdout.includes('walk')]).toEqual([3, true])
    },
  },
  {
    id: 'C-2',
    title: 'flags as Go reads them: one or two dashes, `=` or a word; unknown or broken is 2, -h is 0',
    async run({ detect, run, buildpack, order, place, expect }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const group = place.path('layers/g.toml')
      for (const args of [
        ['--group', group],
        [`--group=${group}`],
        ['-group', '/nowhere/else', '-group', group],
        ['-no-color=T', `-group=${group}`],
      ]) {
        expect((await detect(args)).code).toBe(0)
        expect(place.read('layers/g.toml')).toContain('a/b')
      }
      for (const args of [['-unknown'], ['-group'], ['-no-color=maybe']]) {
        const ended = await run('detector', args)
        expect([ended.code, ended.stderr.includes('Usage of')]).toEqual([2, true])
      }
      expect((await run('detector', ['-h'])).code).toBe(0)
      expect((await detect(['--', '-unknown'])).code).toBe(3)
    },
  },
  {
    id: 'C-3',
    title: 'an argument that looks like a flag behind the arguments is warned of, and is an argument',
    async run({ run, expect }) {
      const ended = await run('analyzer', ['image', '-daemon'])
      expect(ended.stdout).toContain('Warning: unconsumed flag-like positional arg')
      expect(ended.code).toBe(3)
    },
  },
  {
    id: 'C-4',
    title: 'variables: an empty one is unset, a strange boolean is false',
    async run({ detect, buildpack, order, place, expect }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const ended = await detect([], { CNB_GROUP_PATH: '', CNB_NO_COLOR: 'perhaps', CNB_USER_ID: 'x' })
      expect(ended.code).toBe(0)
      expect(existsSync(place.path('layers/group.toml'))).toBe(true)
    },
  },
  {
    id: 'C-5',
    title: 'defaults below <layers> follow -layers, and directories are made absolute',
    async run({ run, place, buildpack, order, expect }) {
      buildpack('a/b', { detect: 'exit 0', build: 'echo "app $PWD layers $1 platform $2"' })
      order(['a/b'])
      const relative = (name: string) => `${place.directory.split('/').at(-1)}/${name}`
      const flags = ['app', 'layers', 'platform', 'buildpacks'].flatMap((name) => [
        `-${name}`,
        relative(name),
      ])
      expect((await run('detector', [...flags, '-order', place.path('order.toml')])).code).toBe(0)
      expect(readdirSync(place.path('layers'))).toEqual(expect.arrayContaining(['group.toml', 'plan.toml']))
      const ended = await run('builder', flags)
      expect(ended.stdout).toContain(
        `app ${place.path('app')} layers ${place.path('layers/a_b')} platform ${place.path('platform')}\n`,
      )
    },
  },
  {
    id: 'C-6',
    title: '<layers>/order.toml is the order where it is and no other is named',
    async run({ run, place, buildpack, order, expect }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      place.write('layers/order.toml', place.read('order.toml'))
      const flags = ['app', 'layers', 'platform', 'buildpacks'].flatMap((name) => [
        `-${name}`,
        place.path(name),
      ])
      expect((await run('detector', flags)).code).toBe(0)
      expect((await run('detector', [...flags, '-order', place.path('no.toml')])).code).toBe(1)
    },
  },
  {
    id: 'C-7',
    title: '-log-level by flag or variable; one that does not exist is 1',
    async run({ detect, buildpack, order, expect }) {
      buildpack('a/b', { detect: 'echo looking' })
      order(['a/b'])
      expect((await detect()).stdout).not.toContain('looking')
      expect((await detect(['-log-level', 'debug'])).stdout).toContain('looking')
      expect((await detect([], { CNB_LOG_LEVEL: 'debug' })).stdout).toContain('looking')
      const wrong = await detect(['-log-level', 'loud'])
      expect([wrong.code, wrong.stdout.includes('failed to parse log level')]).toEqual([1, true])
      expect((await detect(['-log-level', 'error'])).stdout).toBe('')
    },
  },
  {
    id: 'C-8',
    title: 'the log and all output of buildpacks is on stdout, an error in the form `ERROR: failed to …`',
    async run({ build, buildpack, group, expect }) {
      buildpack('a/b', { build: 'echo out; echo err >&2; exit 3' })
      group('a/b')
      const ended = await build()
      expect(ended.stdout).toContain('out\nerr\n')
      expect(ended.stdout).toMatch(/^ERROR: failed to build: /m)
      expect(ended.stderr).toBe('')
    },
  },
  {
    id: 'C-9',
    title: 'detector and builder refuse to run as root',
    needsRoot: true,
    async run({ run, expect }) {
      for (const [phase, action] of [
        ['detector', 'detect'],
        ['builder', 'build'],
      ] as const) {
        const ended = await run(phase, [], { privileged: true })
        expect(ended.stdout).toContain(`ERROR: failed to ${action}: refusing to run as root`)
        expect(ended.code).toBe(1)
      }
    },
  },
  {
    id: 'C-10',
    title: 'no registry credential reaches bin/detect or bin/build',
    async run({ detect, build, buildpack, order, expect }) {
      const print = 'env | grep -E "REGISTRY|DOCKER_CONFIG" || echo none'
      buildpack('a/b', { detect: print, build: print })
      order(['a/b'])
      const env = { CNB_REGISTRY_AUTH: '{"r":"Basic eDp5"}', DOCKER_CONFIG: '/d', REGISTRY_AUTH_FILE: '/f' }
      const outputs = [await detect(['-log-level', 'debug'], env), await build([], env)]
      for (const { stdout } of outputs) {
        expect(stdout).toContain('none\n')
        expect(stdout).not.toContain('eDp5')
      }
    },
  },
  {
    id: 'D-1',
    title: 'a missing order is 1, a missing analyzed.toml or system.toml is none; arguments are 3',
    async run({ detect, buildpack, order, place, expect, isPlatform }) {
      const missing = await detect()
      expect(missing.stdout).toContain(
        'ERROR: failed to initialize detector: reading order: failed to read order file: open ',
      )
      expect(missing.code).toBe(1)
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const ended = await detect(isPlatform('0.15') ? ['-system', place.path('no.toml')] : [])
      expect(ended.code).toBe(0)
      const extra = await detect(['foo'])
      expect(extra.stdout).toContain('failed to parse arguments: received unexpected arguments')
      expect(extra.code).toBe(3)
    },
  },
  {
    id: 'D-2',
    title: 'group.toml and plan.toml are written when a group passes, and not when none does',
    async run({ detect, buildpack, order, place, expect }) {
      buildpack('a/no', { detect: 'exit 100' })
      order(['a/no'])
      expect((await detect()).code).toBe(20)
      expect(readdirSync(place.path('layers'))).toEqual(['config'])
      buildpack('a/yes', { detect: PROVIDES })
      order(['a/no'], ['a/yes'])
      expect((await detect()).code).toBe(0)
      expect(place.read('layers/group.toml')).toContain('id = "a/yes"')
      expect(place.read('layers/plan.toml')).toContain('name = "x"')
    },
  },
  {
    id: 'B-1',
    title: 'the builder runs the group in its order and writes metadata.toml',
    async run({ build, buildpack, group, place, expect }) {
      buildpack('a/one', { build: 'echo one' })
      buildpack('a/two', { build: 'echo two' })
      group('a/two', 'a/one')
      const ended = await build()
      expect(ended.stdout).toContain('two\none\n')
      expect(ended.code).toBe(0)
      expect(place.read('layers/config/metadata.toml')).toMatch(/id = "a\/two"[\s\S]*id = "a\/one"/)
    },
  },
  {
    id: 'B-2',
    title: 'a missing group or plan is 1, an empty group succeeds; arguments are 3',
    async run({ build, place, expect }) {
      const ended = await build()
      expect(ended.stdout).toContain('ERROR: failed to read group file: open ')
      expect(ended.code).toBe(1)
      place.write('layers/group.toml', '')
      expect((await build()).code).toBe(1)
      place.write('layers/plan.toml', '')
      expect((await build()).code).toBe(0)
      const extra = await build(['foo'])
      expect(extra.stdout).toContain('failed to parse arguments: received unexpected arguments')
      expect(extra.code).toBe(3)
    },
  },
  {
    id: 'R-2',
    title: 'a restorer without cache says so and succeeds; arguments are 3',
    async run({ restore, group, expect }) {
      group('a/b')
      const ended = await restore()
      expect(ended.stdout).toContain('No cached data will be used, no cache specified')
      expect(ended.code).toBe(0)
      const extra = await restore(['foo'])
      expect(extra.stdout).toContain('failed to parse arguments: received unexpected Args')
      expect(extra.code).toBe(3)
    },
  },
  {
    id: 'R-1',
    title: 'store.toml comes back from analyzed metadata, also when layers are skipped',
    async run({ restore, group, place, expect }) {
      place.write(
        'layers/analyzed.toml',
        '[metadata]\n[[metadata.buildpacks]]\nkey = "a/b"\nversion = "0.9.0"\n[metadata.buildpacks.store.metadata]\nn = 1\ns = "x"\n[[metadata.buildpacks]]\nkey = "a/gone"\nversion = "1"\n[metadata.buildpacks.store.metadata]\nn = 2\n',
      )
      group('a/b')
      for (const args of [[], ['-skip-layers']]) {
        expect((await restore(args)).code).toBe(0)
        expect(place.read('layers/a_b/store.toml')).toMatch(/\[metadata\]\n\s*n = 1\n\s*s = "x"/)
        expect(existsSync(place.path('layers/a_gone'))).toBe(false)
      }
    },
  },
  {
    id: 'R-8',
    title: 'a missing analyzed.toml is a warning, not an error',
    async run({ restore, group, expect }) {
      group('a/b')
      const ended = await restore(['-skip-layers'])
      expect(ended.stdout).toContain('Warning: ')
      expect(ended.code).toBe(0)
    },
  },
  {
    id: 'O-1',
    title: 'system buildpacks stand in front of and behind every group, unless the group has their ID',
    platformApis: platformsFrom('0.14'),
    async run({ detect, buildpack, order, place, detected, expect, isPlatform }) {
      for (const id of ['s/pre', 's/post', 'a/b', 's/both']) buildpack(id, { detect: 'exit 0' })
      buildpack('a/no', { detect: 'exit 100' })
      order(['a/no'], ['a/b', 's/both'])
      const entry = (at: string, id: string) =>
        `[[system.${at}.buildpacks]]\nid = "${id}"\nversion = "1.0.0"\n`
      place.write(
        'system.toml',
        `${entry('pre', 's/pre')}${entry('pre', 's/both')}${entry('post', 's/post')}`,
      )
      const system = place.path('system.toml')
      expect((await detect([], { CNB_SYSTEM_PATH: system })).code).toBe(0)
      expect(detected()).toEqual(
        isPlatform('0.15') ? ['s/pre', 'a/b', 's/both', 's/post'] : ['a/b', 's/both'],
      )
      if (!isPlatform('0.15')) return
      place.write('system.toml', '[[system')
      expect((await detect(['-system', system])).code).toBe(1)
    },
  },
]
