import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestLifecycle, testLifecycle, testPlace } from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
beforeAll(async () => {
  lifecycle = await testLifecycle()
})
afterAll(() => lifecycle[Symbol.dispose]())

const isRoot = process.getuid?.() === 0

describe('exit codes and messages (cnb-spec §2.1, §11.2)', () => {
  test.each<[string, string[], Record<string, string | undefined>, number, string]>([
    ['detector', [], { CNB_PLATFORM_API: undefined }, 11, "please set 'CNB_PLATFORM_API'"],
    ['builder', [], { CNB_PLATFORM_API: ' ' }, 11, "please set 'CNB_PLATFORM_API'"],
    [
      'analyzer',
      ['-no-such-flag'],
      { CNB_PLATFORM_API: '0.1' },
      11,
      "ERROR: failed to set platform API: platform API version '0.1' is incompatible with the lifecycle",
    ],
    ['exporter', [], { CNB_PLATFORM_API: 'bad' }, 11, "ERROR: failed to parse platform API 'bad'"],
    ['detector', ['foo'], {}, 3, 'ERROR: failed to parse arguments: received unexpected arguments'],
    ['builder', ['foo'], {}, 3, 'ERROR: failed to parse arguments: received unexpected arguments'],
    ['restorer', ['foo'], {}, 3, 'ERROR: failed to parse arguments: received unexpected Args'],
    ['analyzer', [], {}, 3, 'ERROR: failed to parse arguments: received 0 arguments, but expected 1'],
    ['analyzer', ['a', 'b'], {}, 3, 'ERROR: failed to parse arguments: received 2 arguments, but expected 1'],
    ['creator', [], {}, 3, 'ERROR: failed to parse arguments: received 0 arguments, but expected 1'],
    ['exporter', [], {}, 3, 'ERROR: failed to parse arguments: at least one image argument is required'],
    [
      'exporter',
      ['-run-image', 'r', 'i'],
      {},
      3,
      'ERROR: failed to resolve inputs: -run-image is unsupported',
    ],
    ['exporter', ['-image', 'r', 'i'], {}, 3, 'ERROR: failed to resolve inputs: -image is unsupported'],
    ['detector', ['-log-level', 'loud'], {}, 1, 'ERROR: failed to parse log level'],
    ['detector', ['-log-format', 'xml'], {}, 1, 'ERROR: failed to parse log format'],
    ['detector', ['-version'], {}, 0, '1.2.3-test\n'],
    ['lifecycle', ['-version'], { CNB_PLATFORM_API: undefined }, 0, '1.2.3-test\n'],
    ['extender', [], {}, 102, 'ERROR: failed to extend: this lifecycle does not extend images'],
    ['lifecycle', ['extend', '-kind', 'run'], {}, 102, 'ERROR: failed to extend: '],
    ['extender', [], { CNB_EXTEND_KIND: 'base' }, 3, '-kind must be build or run, not "base"'],
    ['extender', ['x'], {}, 3, 'ERROR: failed to parse arguments: received unexpected arguments'],
    ['lifecycle', ['walk'], {}, 3, 'ERROR: failed to recognize phase: walk'],
    ['lifecycle', [], {}, 3, 'ERROR: failed to parse arguments'],
    ['lifecycle', ['detect', 'foo'], {}, 3, 'received unexpected arguments'],
    ['/cnb/lifecycle/detector', ['foo'], {}, 3, 'received unexpected arguments'],
  ])('%s %j with %j: %i %s', async (command, args, env, code, text) => {
    const ended = await lifecycle.run(command, args, { env })
    expect(ended.stdout).toContain(text)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toBe('')
  })

  test.each([
    [['-no-such-flag'], 2, 'flag provided but not defined: -no-such-flag\nUsage of lifecycle:\n'],
    [['-app'], 2, 'flag needs an argument: -app\n'],
    [['-no-color=maybe'], 2, 'invalid boolean value "maybe" for -no-color: parse error\n'],
    [
      ['-h'],
      0,
      'Usage of lifecycle:\n  -analyzed string\n    \tpath to analyzed.toml (default "<layers>/analyzed.toml")\n',
    ],
  ])('detector %j prints its usage on stderr and ends with %i', async (args, code, text) => {
    const ended = await lifecycle.run('detector', args)
    expect(ended.stderr.startsWith(text)).toBe(true)
    expect(ended.code).toBe(code)
    expect(ended.stdout).toBe('')
  })

  test('a flag of a later Platform API is not there', async () => {
    const ended = await lifecycle.run('detector', ['-system', 'x'], { env: { CNB_PLATFORM_API: '0.14' } })
    expect(ended.code).toBe(2)
  })

  test.runIf(isRoot).each(['detector', 'builder'])('%s refuses to run as root', async (command) => {
    const ended = await lifecycle.run(command, [], { privileged: true })
    const action = command === 'detector' ? 'detect' : 'build'
    expect(ended.stdout).toContain(`ERROR: failed to ${action}: refusing to run as root`)
    expect(ended.code).toBe(1)
  })

  test('no order', async () => {
    const place = testPlace(lifecycle)
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toContain(
      `ERROR: failed to initialize detector: reading order: failed to read order file: open ${place.path('order.toml')}: no such file or directory`,
    )
    expect(ended.code).toBe(1)
  })

  test('an order that is no TOML names file, line and text', async () => {
    const place = testPlace(lifecycle)
    place.write('order.toml', '[[order]]\nwhat is this')
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toMatch(
      /reading order: failed to read order file: toml: line 2: expected '\.' or '=', but got 'i' instead \(.*order\.toml:2:\d+: what is this\)/,
    )
    expect(ended.code).toBe(1)
  })

  test('a buildpack that the order names and that is not there', async () => {
    const place = testPlace(lifecycle)
    place.order(['a/missing'])
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toContain(
      'ERROR: failed to initialize detector: failed to read buildpack descriptor',
    )
    expect(ended.code).toBe(1)
  })

  test('an unknown buildpack API, in the order and in the group', async () => {
    const place = testPlace(lifecycle)
    place.buildpack('a/old', { api: '0.1', detect: 'exit 0', build: 'exit 0' })
    place.order(['a/old'])
    const text = "buildpack API version '0.1' is incompatible with the lifecycle"
    const detected = await lifecycle.run('detector', place.detectFlags)
    expect(detected.stdout).toContain(`ERROR: failed to set API for Buildpack 'a/old@1.0.0': ${text}`)
    expect(detected.code).toBe(12)
    place.write('layers/group.toml', '[[group]]\nid = "a/old"\nversion = "1.0.0"\napi = "0.1"\n')
    place.write('layers/plan.toml', '')
    for (const command of ['builder', 'restorer']) {
      const flags = command === 'builder' ? place.buildFlags : ['-layers', place.path('layers')]
      const ended = await lifecycle.run(command, flags)
      expect(ended.stdout).toContain(`ERROR: failed to set API for Buildpack 'a/old@1.0.0': ${text}`)
      expect(ended.code).toBe(12)
    }
  })

  test('a buildpack API that is no version, in the words of the reference and with the text', async () => {
    const place = testPlace(lifecycle)
    place.write('layers/group.toml', '[[group]]\nid = "a/b"\nversion = "1.0.0"\napi = "0.2beta"\n')
    place.write('layers/plan.toml', '')
    const ended = await lifecycle.run('builder', place.buildFlags)
    expect(ended.stdout).toContain(
      "ERROR: failed to parse buildpack API '<nil>' for buildpack 'a/b@1.0.0': '0.2beta' is no API version",
    )
    expect(ended.code).toBe(12)
  })

  test('builder without a group', async () => {
    const place = testPlace(lifecycle)
    const ended = await lifecycle.run('builder', place.buildFlags)
    expect(ended.stdout).toContain(
      `ERROR: failed to read group file: open ${place.path('layers/group.toml')}: no such file or directory`,
    )
    expect(ended.code).toBe(1)
  })

  test('nobody wants the app: 20, a table of who said what, and no files', async () => {
    const place = testPlace(lifecycle)
    place.buildpack('a/node', { detect: 'echo looking; echo "no package.json found"; exit 100' })
    place.buildpack('a/go', { detect: 'exit 100' })
    place.order(['a/node'], ['a/go'])
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toContain(
      [
        '======== Output: a/node@1.0.0 ========',
        'looking',
        'no package.json found',
        '======== Results ========',
        'fail: a/node@1.0.0',
        '======== Results ========',
        'fail: a/go@1.0.0',
        'What each buildpack said:',
        '  a/node@1.0.0  no  no package.json found',
        '  a/go@1.0.0    no',
        'ERROR: No buildpack groups passed detection.',
        'ERROR: Please check that you are running against the correct path.',
        'ERROR: failed to detect: no buildpacks participating',
        '',
      ].join('\n'),
    )
    expect(ended.code).toBe(20)
    expect(readdirSync(place.path('layers'))).toEqual([])
  })

  test('a bin/detect that errs: 21', async () => {
    const place = testPlace(lifecycle)
    place.buildpack('a/bad', { detect: 'echo oops; exit 7' })
    place.order(['a/bad'])
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toContain('err:  a/bad@1.0.0 (7)\n')
    expect(ended.stdout).toContain(
      'ERROR: No buildpack groups passed detection.\nERROR: failed to detect: buildpack(s) failed with err\n',
    )
    expect(ended.code).toBe(21)
  })

  test('composites that contain each other: 22', async () => {
    const place = testPlace(lifecycle)
    const order = (id: string) => `[[order]]\n[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`
    place.buildpack('a/x', { toml: order('a/y') })
    place.buildpack('a/y', { toml: order('a/x') })
    place.order(['a/x'])
    const ended = await lifecycle.run('detector', place.detectFlags)
    expect(ended.stdout).toContain(
      'composite buildpacks contain each other: a/x@1.0.0 → a/y@1.0.0 → a/x@1.0.0',
    )
    expect(ended.code).toBe(22)
  })

  test('a bin/detect that hangs is ended, and what it left behind too', async () => {
    const place = testPlace(lifecycle)
    place.buildpack('a/slow', { detect: 'echo started; sleep 600' })
    place.order(['a/slow'])
    const ended = await lifecycle.run('detector', [...place.detectFlags, '-detect-timeout', '300ms'])
    expect(ended.stdout).toContain('started\n')
    expect(ended.stdout).toContain('bin/detect did not end within 300 ms')
    expect(ended.code).toBe(21)
  })

  test.each([
    ['fails', 'exit 3', 51, 'ERROR: failed to build: bin/build of a/b@1.0.0: exit status 3'],
    ['writes no TOML', 'echo "=" >"$CNB_LAYERS_DIR/launch.toml"', 52, 'launch.toml:1:1'],
    ['writes a store.toml that is none', 'echo x >"$CNB_LAYERS_DIR/store.toml"', 52, 'store.toml:1:'],
    [
      'has flags in the wrong place',
      'echo "launch = true" >"$CNB_LAYERS_DIR/x.toml"',
      52,
      'in the types table of',
    ],
    [
      'leaves unmet what nobody asked',
      'printf "[[unmet]]\\nname = \\"x\\"" >"$CNB_LAYERS_DIR/build.toml"',
      52,
      "unmet.name 'x' must match",
    ],
    [
      'writes an undeclared SBOM',
      'echo "{}" >"$CNB_LAYERS_DIR/launch.sbom.cdx.json"',
      52,
      'undeclared SBOM media type',
    ],
    [
      'writes an unknown SBOM',
      'echo "{}" >"$CNB_LAYERS_DIR/launch.sbom.abc.json"',
      52,
      'unsupported SBOM file format',
    ],
    [
      'has two defaults',
      'printf "[[processes]]\\ntype=\\"a\\"\\ncommand=[\\"a\\"]\\ndefault=true\\n[[processes]]\\ntype=\\"a\\"\\ncommand=[\\"a\\"]\\ndefault=true\\n" >"$CNB_LAYERS_DIR/launch.toml"',
      52,
      'multiple default process types',
    ],
    ['is killed', 'kill -9 $$', 51, 'ended by SIGKILL'],
  ])('a bin/build that %s', async (_, script, code, text) => {
    const place = testPlace(lifecycle)
    place.buildpack('a/b', { build: script })
    place.write('layers/group.toml', '[[group]]\nid = "a/b"\nversion = "1.0.0"\napi = "0.12"\n')
    place.write('layers/plan.toml', '')
    const ended = await lifecycle.run('builder', place.buildFlags)
    expect(ended.stdout).toContain(text)
    expect(ended.code).toBe(code)
  })

  test('a failure as JSON carries what a retry policy needs', async () => {
    const place = testPlace(lifecycle)
    place.buildpack('a/bad', { detect: 'exit 7' })
    place.order(['a/bad'])
    const ended = await lifecycle.run('detector', [...place.detectFlags, '-log-format', 'json'])
    const lines = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.at(-1)).toMatchObject({
      type: 'failed',
      action: 'detect',
      code: 'DETECT_BUILDPACK_ERROR',
      class: 'buildpack',
      exitCode: 21,
    })
    expect(lines).toContainEqual(
      expect.objectContaining({
        type: 'detect-result',
        buildpack: { id: 'a/bad', version: '1.0.0' },
        code: 7,
      }),
    )
  })
})
