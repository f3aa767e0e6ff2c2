/** What a retry policy, and a person, is told when a phase fails: the last line of `-log-format json`, and the text. */

import { chmodSync, copyFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { builtProgram } from '../../native/testing/programs.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import {
  isRunning,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'
import { type RegistryWithRunImage, registryWithRunImage } from './testing/run-image.ts'

let lifecycle: TestLifecycle
let open: RegistryWithRunImage
let guarded: TestRegistry
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
  open = await registryWithRunImage()
  guarded = await startTestRegistry({ auth: { kind: 'basic', users: { somebody: 'opensesame' } } })
})
afterAll(async () => {
  await open[Symbol.asyncDispose]()
  await guarded.close()
  lifecycle[Symbol.dispose]()
})
beforeEach(() => {
  place = testPlace(lifecycle)
  place.buildpack('a/b', { detect: 'exit 0', build: 'exit 0' })
  place.order(['a/b'])
})

/** The last line of a phase that fails, which must be the same in its exit code. */
async function failure(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const json = await lifecycle.run(command, ['-log-format', 'json', ...args], { env })
  const last = JSON.parse(json.stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(last.exitCode).toBe(json.code)
  return last
}

const group = () => {
  place.write('layers/group.toml', '[[group]]\nid = "a/b"\nversion = "1.0.0"\napi = "0.12"\n')
  place.write('layers/plan.toml', '')
}
const layers = () => ['-layers', place.path('layers')]

describe('a failure tells its class, phase, subject and what to try', () => {
  test('usage: a file between the phases is missing', async () => {
    const path = place.path('layers/group.toml')
    expect(await failure('builder', place.buildFlags)).toMatchObject({
      type: 'failed',
      phase: 'build',
      code: 'LIFECYCLE_FILE_MISSING',
      class: 'usage',
      subject: path,
      hint: expect.stringContaining('detector'),
      exitCode: 1,
    })
  })

  test('user: no buildpack wants the app', async () => {
    place.buildpack('a/b', { detect: 'exit 100' })
    expect(await failure('detector', place.detectFlags)).toMatchObject({
      phase: 'detect',
      code: 'DETECT_NO_GROUP',
      class: 'user',
      hint: expect.any(String),
      exitCode: 20,
    })
  })

  test('buildpack: bin/build fails', async () => {
    place.buildpack('a/b', { build: 'exit 3' })
    group()
    expect(await failure('builder', place.buildFlags)).toMatchObject({
      phase: 'build',
      code: 'BUILD_BUILDPACK_FAILED',
      class: 'buildpack',
      subject: 'a/b@1.0.0',
      hint: expect.any(String),
      exitCode: 51,
    })
  })

  test('infrastructure: a directory that cannot be written', async () => {
    chmodSync(place.path('layers'), 0o555)
    expect(await failure('detector', place.detectFlags)).toMatchObject({
      phase: 'detect',
      code: 'LIFECYCLE_FILE_UNWRITABLE',
      class: 'infrastructure',
      subject: place.path('layers/group.toml'),
      message: expect.stringContaining('permission denied'),
      hint: expect.stringContaining('owner and mode'),
      exitCode: 1,
    })
  })

  test('infrastructure: a registry that does not answer', async () => {
    // Nobody listens on port 1 of loopback.
    const failed = await failure('analyzer', [
      ...layers(),
      '-run-image',
      `${open.host}/run`,
      '127.0.0.1:1/app',
    ])
    expect(failed).toMatchObject({
      phase: 'analyze',
      code: 'ANALYZE_REGISTRY_UNREACHABLE',
      class: 'infrastructure',
      subject: '127.0.0.1:1/app',
      cause: expect.stringContaining('cannot connect'),
      hint: expect.stringContaining('network'),
      exitCode: 32,
    })
  })

  test('before its phase begins, and in the creator, it is the phase that is told', async () => {
    place.buildpack('a/b', { detect: 'exit 0', build: 'exit 3' })
    copyFileSync(builtProgram('launcher'), place.path('launcher'))
    const flags = [
      ...place.detectFlags,
      '-launcher',
      place.path('launcher'),
      '-run-image',
      `${open.host}/run`,
    ]
    expect(await failure('creator', [...flags, `${open.host}/app`])).toMatchObject({
      phase: 'build',
      exitCode: 51,
    })
    expect(await failure('exporter', layers())).toMatchObject({
      phase: 'export',
      class: 'usage',
      exitCode: 3,
    })
  })
})

describe('a registry that refuses and an image that is missing', () => {
  test('are told apart in code, message and exit code', async () => {
    const denied = await failure('analyzer', [
      ...layers(),
      '-run-image',
      `${open.host}/run`,
      `${guarded.host}/app`,
    ])
    expect(denied).toMatchObject({
      code: 'ANALYZE_ACCESS_DENIED',
      subject: `${guarded.host}/app`,
      cause: expect.stringContaining('401'),
      hint: expect.stringContaining('log in'),
      exitCode: 32,
    })
    // A previous image that is missing is none; a run image is missed when it is needed.
    const analyzed = await lifecycle.run('analyzer', [
      ...layers(),
      '-run-image',
      `${open.host}/gone`,
      `${open.host}/app`,
    ])
    expect(analyzed.stdout).toContain(`Image with name "${open.host}/gone" not found\n`)
    expect(analyzed.code).toBe(0)
    group()
    place.write('layers/config/metadata.toml', '')
    copyFileSync(builtProgram('launcher'), place.path('launcher'))
    const missing = await failure('exporter', [
      ...layers(),
      ...['-app', place.path('app'), '-launcher', place.path('launcher'), `${open.host}/app`],
    ])
    expect(missing).toMatchObject({ code: 'EXPORT_RUN_IMAGE_UNKNOWN', phase: 'export', exitCode: 3 })
  })
})

describe('a program that hangs', () => {
  test.each([
    ['a flag', ['-build-timeout', '300ms'], {}],
    ['the environment', [], { SLIPWAY_BUILD_TIMEOUT: '300ms' }],
  ] as const)(
    'a bin/build is ended by %s, with what it printed and what it started',
    async (_, flags, env) => {
      place.buildpack('a/b', { build: 'echo waiting for the moon; echo $$ >"$1/pid"; sleep 600' })
      group()
      const ended = await lifecycle.run('builder', [...place.buildFlags, ...flags], { env })
      expect(ended.stdout).toContain('waiting for the moon\n')
      expect(ended.stdout).toContain(
        'ERROR: failed to build: bin/build of a/b@1.0.0: not done within 300 ms\n',
      )
      expect(ended.stdout).toContain('What to try: Its output shows what it waited for; -build-timeout')
      expect(ended.code).toBe(51)
      expect(isRunning(Number(place.read('layers/a_b/pid')))).toBe(false)
      expect(await failure('builder', [...place.buildFlags, ...flags], env)).toMatchObject({
        code: 'BUILD_TIMED_OUT',
        class: 'buildpack',
        subject: 'a/b@1.0.0',
      })
    },
  )

  test.each(['10', 'soon', '-5s'])('a time that is none is refused: %s', async (text) => {
    expect(await failure('builder', place.buildFlags, { SLIPWAY_BUILD_TIMEOUT: text })).toMatchObject({
      code: 'LIFECYCLE_DURATION_INVALID',
      class: 'usage',
      subject: 'SLIPWAY_BUILD_TIMEOUT',
      exitCode: 3,
    })
  })

  test('a bin/detect is ended by the environment too, and the flag wins over it', async () => {
    place.buildpack('a/b', { detect: 'echo looking at the stars; sleep 600' })
    const env = { SLIPWAY_DETECT_TIMEOUT: '10m' }
    const flagged = await lifecycle.run('detector', [...place.detectFlags, '-detect-timeout', '300ms'], {
      env,
    })
    const set = await lifecycle.run('detector', place.detectFlags, {
      env: { SLIPWAY_DETECT_TIMEOUT: '300ms' },
    })
    for (const { stdout, code } of [flagged, set]) {
      expect(stdout).toContain('looking at the stars\n')
      expect(stdout).toContain('  a/b@1.0.0  error  bin/detect did not end within 300 ms\n')
      expect(code).toBe(21)
    }
  })
})

test('the creator too shows in a table who said no and why, beside the lines of the reference', async () => {
  place.buildpack('a/node', { detect: 'echo "no package.json found"; exit 100' })
  place.buildpack('a/go', { detect: 'echo "go.mod is broken" >&2; exit 1' })
  place.buildpack('a/needs', { detect: `printf '[[requires]]\\nname = "jdk"\\n' >"$2"` })
  place.order(['a/node'], ['a/go'], ['a/needs'])
  const ended = await lifecycle.run('creator', [
    ...place.detectFlags,
    ...['-run-image', `${open.host}/run`, `${open.host}/app`],
  ])
  expect(ended.stdout).toContain(
    [
      'What each buildpack said:',
      '  a/node@1.0.0   no     no package.json found',
      '  a/go@1.0.0     error  exit status 1: go.mod is broken',
      '  a/needs@1.0.0  yes    but nobody provides jdk',
      'ERROR: No buildpack groups passed detection.',
      'ERROR: failed to detect: buildpack(s) failed with err',
      '',
    ].join('\n'),
  )
  expect(ended.stdout).toContain('======== Results ========\nfail: a/node@1.0.0\n')
  expect(ended.code).toBe(21)
})
