import { chmodSync, existsSync, statSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestLifecycle, type TestPlace, testLifecycle, testPlace } from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
})
afterAll(() => lifecycle[Symbol.dispose]())
beforeEach(() => {
  place = testPlace(lifecycle)
})

const detect = (args: string[] = [], env: Record<string, string> = {}) =>
  lifecycle.run('detector', [...place.detectFlags, ...args], { env })

/** Prints what a program was given and is not the shell's own. */
const PRINT = 'echo "args: $@"; echo "cwd: $PWD"; env | grep -vE "^(PWD|SHLVL|_|PATH|OLDPWD)=" | sort'

describe('detector', () => {
  test('gives bin/detect what its API promises, and nothing of its own environment', async () => {
    place.buildpack('a/new', { detect: `${PRINT}; exit 100` })
    place.buildpack('a/old', { api: '0.7', toml: 'clear-env = true', detect: `${PRINT}; exit 100` })
    place.order(['a/new?', 'a/old?'])
    place.write('platform/env/FROM_USER', 'user')
    place.write('config/env/FROM_OPERATOR', 'operator')
    place.write(
      'layers/analyzed.toml',
      '[run-image]\nreference = "r"\n[run-image.target]\nos = "linux"\narch = "arm64"\narch-variant = "v8"\n[run-image.target.distro]\nname = "debian"\nversion = "12"\n',
    )
    const ended = await detect(['-log-level', 'debug'], {
      HOME: '/home/somebody',
      CNB_REGISTRY_AUTH: 'secret',
      CNB_EXEC_ENV: 'test',
      FOREIGN: '1',
    })
    const output = (id: string) =>
      ended.stdout
        .split(`======== Output: ${id}@1.0.0 ========\n`)[1]
        ?.split('\n=')[0]
        ?.replaceAll(/\/tmp\/detect\.[^/]+\//g, 'TEMPORARY/')
        .replaceAll(place.directory, 'PLACE')
    expect(output('a/new')).toBe(
      [
        'args: PLACE/platform TEMPORARY/0/plan.toml',
        'cwd: PLACE/app',
        'CNB_BUILDPACK_DIR=PLACE/buildpacks/a_new/1.0.0',
        'CNB_BUILD_PLAN_PATH=TEMPORARY/0/plan.toml',
        'CNB_EXEC_ENV=test',
        'CNB_PLATFORM_DIR=PLACE/platform',
        'CNB_TARGET_ARCH=arm64',
        'CNB_TARGET_ARCH_VARIANT=v8',
        'CNB_TARGET_DISTRO_NAME=debian',
        'CNB_TARGET_DISTRO_VERSION=12',
        'CNB_TARGET_OS=linux',
        'FROM_OPERATOR=operator',
        'FROM_USER=user',
        'HOME=/home/somebody',
      ].join('\n'),
    )
    expect(output('a/old')).toBe(
      [
        'args: PLACE/platform TEMPORARY/1/plan.toml',
        'cwd: PLACE/app',
        'CNB_BUILDPACK_DIR=PLACE/buildpacks/a_old/1.0.0',
        'FROM_OPERATOR=operator',
        'HOME=/home/somebody',
      ].join('\n'),
    )
  })

  test('writes the group and the plan; runs each buildpack once; tells the lines in the order of the group', async () => {
    const count = place.path('app/count')
    place.buildpack('a/first', {
      toml: 'homepage = "https://first.example"',
      detect: `sleep 0.3; echo "$2" >plan-path; echo first >>${count}; printf '[[provides]]\\nname = "dep"\\n' >"$2"`,
    })
    place.buildpack('a/second-with-a-long-name', {
      detect: `echo second >>${count}; printf '[[requires]]\\nname = "dep"\\n[requires.metadata]\\nversion = 1979-05-27\\n' >"$2"`,
    })
    place.buildpack('a/no', { detect: 'exit 100' })
    place.order(['a/first', 'a/no'], ['a/no?', 'a/first', 'a/second-with-a-long-name'])
    const ended = await detect()
    expect(ended.stdout).toBe(
      [
        `Warning: No analyzed metadata found at path "${place.path('layers/analyzed.toml')}"`,
        'target distro name/version labels not found, reading /etc/os-release file',
        '2 of 3 buildpacks participating',
        'a/first                   1.0.0',
        'a/second-with-a-long-name 1.0.0',
        '',
      ].join('\n'),
    )
    expect(ended.code).toBe(0)
    expect(place.read('app/count').split('\n').sort()).toEqual(['', 'first', 'second'])
    expect(place.read('layers/group.toml')).toBe(
      [
        '[[group]]',
        '  id = "a/first"',
        '  version = "1.0.0"',
        '  api = "0.12"',
        '  homepage = "https://first.example"',
        '',
        '[[group]]',
        '  id = "a/second-with-a-long-name"',
        '  version = "1.0.0"',
        '  api = "0.12"',
        '',
      ].join('\n'),
    )
    expect(place.read('layers/plan.toml')).toMatch(/version = 1979-05-27\n/)
    expect(existsSync(place.read('app/plan-path').trim())).toBe(false)
  })

  test('an empty plan is an empty file', async () => {
    place.buildpack('a/one', { detect: 'exit 0' })
    place.order(['a/one'])
    expect((await detect()).code).toBe(0)
    expect(place.read('layers/plan.toml')).toBe('')
  })

  test('a plan that is broken, gone or asks in the old way is an error of its buildpack', async () => {
    place.buildpack('a/broken', { detect: 'echo "[[" >"$2"' })
    place.buildpack('a/gone', { detect: 'rm "$2"' })
    place.buildpack('a/old', { detect: `printf '[[requires]]\\nname = "x"\\nversion = "1"\\n' >"$2"` })
    place.order(['a/broken'], ['a/gone'], ['a/old'])
    const ended = await detect()
    expect(ended.code).toBe(21)
    for (const id of ['a/broken', 'a/gone', 'a/old']) {
      expect(ended.stdout).toContain(`======== Error: ${id}@1.0.0 ========`)
      expect(ended.stdout).toContain(`err:  ${id}@1.0.0\n`)
    }
  })

  test('a buildpack without an executable bin/detect errs alone', async () => {
    place.buildpack('a/bad', {})
    place.write('buildpacks/a_bad/1.0.0/bin/detect', '#!/bin/sh\n', 0o644)
    place.buildpack('a/good', { detect: 'exit 0' })
    place.order(['a/bad'], ['a/good'])
    const ended = await detect()
    expect(ended.stdout).toContain('err:  a/bad@1.0.0\n')
    expect(ended.code).toBe(0)
  })

  test('targets: a required buildpack for another errs, an optional one drops out; not before 0.12', async () => {
    const elsewhere = '[[targets]]\nos = "linux"\narch = "riscv64"\n'
    place.buildpack('a/elsewhere', { toml: elsewhere, detect: 'exit 0' })
    place.buildpack('a/here', { detect: 'exit 0' })
    place.order(['a/elsewhere?', 'a/here'])
    const dropped = await detect()
    expect(dropped.stdout).toContain('1 of 2 buildpacks participating\na/here 1.0.0\n')
    place.order(['a/elsewhere'])
    const failed = await detect()
    expect(failed.stdout).toContain('unable to satisfy target os/arch constraints')
    expect(failed.code).toBe(21)
    expect((await detect([], { CNB_PLATFORM_API: '0.11' })).code).toBe(0)
  })

  test('execution environments: who does not know it is passed over, from 0.15 on', async () => {
    place.buildpack('a/test-only', { toml: 'exec-env = ["test"]', detect: 'exit 0' })
    place.buildpack('a/any', { detect: 'exit 0' })
    place.order(['a/test-only', 'a/any'])
    const group = async (env: Record<string, string>) => {
      expect((await detect([], env)).code).toBe(0)
      return [...place.read('layers/group.toml').matchAll(/id = "(.*)"/g)].map(([, id]) => id)
    }
    expect(await group({})).toEqual(['a/any'])
    expect(await group({ CNB_EXEC_ENV: 'test' })).toEqual(['a/test-only', 'a/any'])
    expect(await group({ CNB_PLATFORM_API: '0.14' })).toEqual(['a/test-only', 'a/any'])
  })

  test('system buildpacks, from 0.15 on', async () => {
    place.buildpack('a/app', { detect: 'exit 0' })
    place.buildpack('a/system', { detect: 'exit 0' })
    place.order(['a/app'])
    place.write('system.toml', '[[system.pre.buildpacks]]\nid = "a/system"\nversion = "1.0.0"\n')
    expect((await detect(['-system', place.path('system.toml')])).stdout).toContain(
      'a/system 1.0.0\na/app    1.0.0\n',
    )
    const env = { CNB_PLATFORM_API: '0.14', CNB_SYSTEM_PATH: place.path('system.toml') }
    expect((await detect([], env)).stdout).not.toContain('a/system')
    expect((await detect(['-log-level', 'debug', '-system', place.path('none.toml')])).stdout).toContain(
      `No system buildpacks found at path "${place.path('none.toml')}"`,
    )
  })

  test('an app that may not be entered is what the error names, not the program', async () => {
    place.buildpack('a/b', { detect: 'exit 0' })
    place.order(['a/b'])
    chmodSync(place.path('app'), 0)
    const ended = await detect()
    expect(ended.stdout).toContain(
      `/bin/detect in ${place.path('app')}: permission denied\nWhat to try: Check its owner`,
    )
    expect(ended.code).toBe(22)
  })

  test('an order that may not be read is named, with what to try', async () => {
    place.order(['a/b'])
    // The test may be root, which owns it; the phase is not.
    chmodSync(place.path('order.toml'), process.getuid?.() === 0 ? 0o600 : 0)
    expect((await detect()).stdout).toContain(
      `open ${place.path('order.toml')}: permission denied\nWhat to try: Check its owner and mode`,
    )
  })

  describe('a file that it is to write', () => {
    beforeEach(() => {
      place.buildpack('a/b', { detect: 'exit 0' })
      place.order(['a/b'])
      place.write(
        'closed/group.toml',
        'old = "and longer than what comes, so that a rest of it would show"\n'.repeat(9),
        0o666,
      )
      chmodSync(place.path('closed'), 0o555)
    })

    test('is written where it is when its folder takes no new name', async () => {
      expect(await detect(['-group', place.path('closed/group.toml')])).toMatchObject({ code: 0 })
      expect(place.read('closed/group.toml')).toBe(
        '[[group]]\n  id = "a/b"\n  version = "1.0.0"\n  api = "0.12"\n',
      )
    })

    test('is written where it is when it is a mount of its own', async () => {
      const [from, to] = [place.path('closed/group.toml'), place.path('layers/group.toml')]
      place.write('layers/group.toml', '', 0o666)
      const under = ['bwrap', '--dev-bind', '/', '/', '--bind', from, to, '--die-with-parent'] as const
      const asRoot = process.getuid?.() === 0 ? (['--cap-add', 'ALL'] as const) : []
      const ended = await lifecycle.run('lifecycle', ['detect', ...place.detectFlags], {
        under: [...under, ...asRoot],
      })
      expect(ended).toMatchObject({ code: 0 })
      expect(place.read('closed/group.toml')).toContain('id = "a/b"')
    })

    test('may be a device, which stays one', async () => {
      expect(await detect(['-group', '/dev/null'])).toMatchObject({ code: 0 })
      expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
    })

    test('is named, and not the temporary one beside it, when it cannot be written', async () => {
      const ended = await detect(['-group', place.path('closed/other.toml')])
      expect(ended.stdout).toContain(
        `ERROR: failed to write group file: open ${place.path('closed/other.toml')}: permission denied\n`,
      )
      expect(ended.code).toBe(1)
    })
  })

  test('extensions are detected, run, and taken out of the plan; experimental before 0.13', async () => {
    place.buildpack('a/app', { detect: `printf '[[requires]]\\nname = "curl"\\n' >"$2"` })
    place.order(['a/app'])
    place.extension('x/curl', {
      api: '0.10',
      plan: '[[provides]]\nname = "curl"\n',
      generate: `${PRINT}; cat "$CNB_BP_PLAN_PATH"; printf 'FROM other/run\\n' >"$CNB_OUTPUT_DIR/run.Dockerfile"`,
    })
    place.orderExtensions(['x/curl'])
    place.write('platform/env/FROM_USER', 'user')
    place.write('config/env/FROM_OPERATOR', 'operator')
    place.write(
      'layers/analyzed.toml',
      '[run-image]\nreference = "r"\nimage = "r"\n[run-image.target]\nos = "linux"\narch = "arm64"\n[run-image.target.distro]\nname = "debian"\nversion = "12"\n',
    )
    const extensions = ['-extensions', place.path('extensions')]
    const ended = await detect(extensions, { CNB_REGISTRY_AUTH: 'secret', HOME: '/home/somebody' })
    expect(ended.code).toBe(0)
    const output = ended.stdout
      .replaceAll(/\/tmp\/generate\.[^/]+\//g, 'TEMPORARY/')
      .replaceAll(place.directory, 'PLACE')
    expect(output.split('No run metadata found')[1]?.split('\n').slice(1)).toEqual([
      'args: PLACE/layers/generated/x_curl PLACE/platform TEMPORARY/x_curl/plan.toml',
      'cwd: PLACE/app',
      'CNB_BP_PLAN_PATH=TEMPORARY/x_curl/plan.toml',
      'CNB_EXTENSION_DIR=PLACE/extensions/x_curl/1.0.0',
      'CNB_OUTPUT_DIR=PLACE/layers/generated/x_curl',
      'CNB_PLATFORM_DIR=PLACE/platform',
      'CNB_TARGET_ARCH=arm64',
      'CNB_TARGET_DISTRO_NAME=debian',
      'CNB_TARGET_DISTRO_VERSION=12',
      'CNB_TARGET_OS=linux',
      'FROM_OPERATOR=operator',
      'FROM_USER=user',
      'HOME=/home/somebody',
      '[[entries]]',
      '  name = "curl"',
      "Warning: new runtime base image 'other/run' not found in run metadata",
      '',
    ])
    expect(place.read('layers/group.toml')).toContain('[[group-extensions]]\n  id = "x/curl"')
    expect(place.read('layers/plan.toml')).toBe('')
    expect(place.read('layers/analyzed.toml')).toContain(
      '[run-image]\n  reference = "other/run"\n  image = "other/run"\n',
    )
    const guarded = await detect(extensions, { CNB_PLATFORM_API: '0.12' })
    expect(guarded.stdout).toContain('experimental features are disabled by CNB_EXPERIMENTAL_MODE=error')
    expect(guarded.code).toBe(1)
  })

  test('shows trials on failure, and says who lacks what', async () => {
    place.buildpack('a/needs', { detect: `printf '[[requires]]\\nname = "jdk"\\n' >"$2"` })
    place.order(['a/needs'])
    const ended = await detect()
    expect(ended.stdout).toContain(
      [
        '======== Results ========',
        'pass: a/needs@1.0.0',
        'Resolving plan... (try #1)',
        'fail: a/needs@1.0.0 requires jdk',
        'What each buildpack said:',
        '  a/needs@1.0.0  yes  but nobody provides jdk',
        '',
      ].join('\n'),
    )
    expect(ended.code).toBe(20)
  })
})
