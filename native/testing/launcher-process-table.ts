import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BUILDPACKS,
  helper,
  type Launch,
  type LauncherWorld,
  launcherWorld,
  layer,
  processNamed,
} from './launcher-world.ts'

/**
 * Which process the launcher becomes, and why not, case by case against real directories: the platform specification's
 * launcher, with the reference's exit codes and messages (cnb-spec §7.1, §11.2).
 */
export function launcherProcessTable(name: string, binary: () => string): void {
  describe(name, () => {
    let world: LauncherWorld
    let top: string
    beforeEach(() => {
      world = launcherWorld(binary())
      top = world.top
    })
    afterEach(() => world[Symbol.dispose]())
    const launch: LauncherWorld['launch'] = (what) => world.launch(what)

    describe('versions', () => {
      test.each(['', ' \t'])('needs a Platform API, which %j is not', (version) => {
        const { status, stderr } = launch({ env: { CNB_PLATFORM_API: version } })
        expect(status).toBe(11)
        expect(stderr).toBe(
          "ERROR: failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version\n",
        )
      })
      test.each(['0.1', '0.6', '0.16', '1.0', '7', '0.'])('refuses Platform API %s', (version) => {
        const { status, stderr } = launch({ env: { CNB_PLATFORM_API: version } })
        expect(status).toBe(11)
        expect(stderr).toContain(`platform API version '${version}' is incompatible with the lifecycle`)
      })
      test.each(['x', '0.15x', '99999999999999999999', ' 0.15'])('cannot read Platform API %s', (version) => {
        const { status, stderr } = launch({ env: { CNB_PLATFORM_API: version } })
        expect([status, stderr]).toEqual([11, `ERROR: failed to parse platform API '${version}'\n`])
      })
      test.each(['0.7', '0.10', 'v0.15', '0.015'])('takes Platform API %s', (version) => {
        expect(launch({ as: 'web', env: { CNB_PLATFORM_API: version } }).status).toBe(0)
      })
      test.each(['0.1', '0.6', '0.13'])('refuses a buildpack of API %s', (version) => {
        const { status, stderr } = launch({ as: 'web', metadata: BUILDPACKS.replace('0.12', version) })
        expect(status).toBe(12)
        expect(stderr).toBe(
          `ERROR: failed to set API for buildpack 'some/buildpack': buildpack API version '${version}' is incompatible with the lifecycle\n`,
        )
      })
      test('refuses a buildpack without API', () => {
        expect(launch({ metadata: '[[buildpacks]]\nid = "a"\n' }).status).toBe(12)
      })
      test('reads its inputs only after the Platform API', () => {
        expect(launch({ env: { CNB_PLATFORM_API: '0.1' }, metadata: '=' }).status).toBe(11)
      })
    })

    describe('metadata.toml', () => {
      test.each([
        ['a = ', 'line 1: expected a value'],
        ['\n[[processes]]\ntype = 1\n', 'line 3: `type` must be a string, not an integer'],
        ['processes = 1', 'line 1: `processes` must be an array, not an integer'],
        ['processes = ["x"]', 'line 1: `processes` must be an array of tables'],
        ['[[processes]]\nargs = [1]', 'line 2: `args` must hold strings, not an integer'],
        ['[[processes]]\ncommand = true', 'line 2: `command` must be an array, not a boolean'],
        ['[[processes]]\ncommand = "a\\u0000b"', 'line 2: a string with a NUL character'],
      ])('%j is refused', (metadata, message) => {
        const { status, stderr } = launch({ metadata })
        expect(status).toBe(1)
        expect(stderr).toBe(
          `ERROR: failed to read metadata: ${join(top, 'layers/config/metadata.toml')}: ${message}\n`,
        )
      })
      test('must be there', () => {
        const { status, stderr } = launch({ env: { CNB_LAYERS_DIR: '/no/such/folder' } })
        expect([status, stderr]).toEqual([
          1,
          'ERROR: failed to read metadata: open /no/such/folder/config/metadata.toml: no such file or directory\n',
        ])
      })
      test('may hold what a launcher does not know', () => {
        const metadata = `x = 1979-05-27T07:32:00Z\n${BUILDPACKS}${processNamed('web', 'unknown = {a = [1, 2.5]}')}`
        expect(launch({ as: 'web', metadata }).status).toBe(0)
      })
    })

    describe('the process', () => {
      const printed = (what: Launch) => launch(what).stdout.split('\n').slice(0, -1)

      test('is the one that the launcher is called by', () => {
        expect(printed({ as: '/cnb/process/web' })).toEqual(['always', 'default'])
        expect(
          printed({ as: 'with.period', metadata: BUILDPACKS + processNamed('with.period') }),
        ).toHaveLength(2)
      })
      test('gets the arguments of the caller instead of its defaults', () => {
        expect(printed({ as: 'web', args: ['a b', ''] })).toEqual(['always', 'a b', ''])
      })
      test('of a newer buildpack with one word as command, too', () => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["echo"]\nargs = ["z"]\ndirect = true\nbuildpack-id = "some/buildpack"`
        expect(printed({ as: 'web', metadata })).toEqual(['z'])
        expect(printed({ as: 'web', metadata, args: ['a', 'b'] })).toEqual(['a b'])
      })
      test('of an older buildpack gets them behind its own', () => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = "echo"\nargs = ["z"]\ndirect = true\nbuildpack-id = "older"`
        expect(printed({ as: 'web', metadata, args: ['a'] })).toEqual(['z a'])
      })
      test('gets them behind its own before Platform API 0.10', () => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = "echo"\nargs = ["z"]\ndirect = true\nbuildpack-id = "some/buildpack"`
        expect(printed({ as: 'web', metadata, args: ['a'], env: { CNB_PLATFORM_API: '0.9' } })).toEqual([
          'z a',
        ])
      })
      test('of an unknown buildpack takes none', () => {
        const metadata =
          '[[processes]]\ntype = "web"\ncommand = ["echo"]\ndirect = true\nbuildpack-id = "gone"'
        const { status, stderr } = launch({ as: 'web', metadata, args: ['a'] })
        expect([status, stderr]).toEqual([
          82,
          'ERROR: failed to launch: determine start command: failed to find buildpack for process web with buildpack ID gone\n',
        ])
      })
      test('must be for the execution environment', () => {
        const metadata = `${BUILDPACKS}${processNamed('web', 'exec-env = ["test"]')}${processNamed('web', 'exec-env = ["production"]').replace('always', 'second')}`
        expect(printed({ as: 'web', metadata })).toEqual(['second', 'default'])
        expect(printed({ as: 'web', metadata, env: { CNB_EXEC_ENV: 'test' } })).toEqual(['always', 'default'])
        expect(printed({ as: 'web', metadata, env: { CNB_PLATFORM_API: '0.14' } })).toEqual([
          'always',
          'default',
        ])
        const { status, stderr } = launch({ as: 'web', metadata, env: { CNB_EXEC_ENV: 'other' } })
        expect([status, stderr]).toEqual([
          82,
          'ERROR: failed to launch: determine start command: process type web was not found\n',
        ])
      })
      test('may be the caller’s own', () => {
        expect(printed({ args: ['--', 'echo', '$HOME'] })).toEqual(['$HOME'])
      })
      test('is needed', () => {
        const { status, stderr } = launch({})
        expect([status, stderr]).toEqual([
          82,
          'ERROR: failed to launch: determine start command: when there is no default process a command is required\n',
        ])
      })
      test('is not chosen by CNB_PROCESS_TYPE, which is warned of', () => {
        const { status, stderr } = launch({ env: { CNB_PROCESS_TYPE: 'web' } })
        expect(status).toBe(82)
        expect(stderr).toContain('Warning: CNB_PROCESS_TYPE is not supported in Platform API 0.15\n')
        expect(stderr).toContain("Warning: Run with ENTRYPOINT 'web' to invoke the 'web' process type\n")
      })
      test.each([
        [['no-such-program'], /path lookup: exec: "no-such-program": executable file not found in \$PATH/],
        [[''], /executable file not found/],
        [['/'], /is a directory/],
        [['/no/such'], /stat \/no\/such: no such file or directory/],
        [['./plain'], /permission denied/],
      ])('%j cannot be started', (command, message) => {
        const { status, stderr } = launch({ args: ['--', ...command], files: { 'app/plain': '' } })
        expect(status).toBe(82)
        expect(stderr).toMatch(message)
      })
      test('is not looked for beside the app', () => {
        const { status, stderr } = launch({
          args: ['--', 'local'],
          env: { PATH: 'bin' },
          files: { 'app/bin/local': '#!/bin/sh' },
        })
        expect(status).toBe(82)
        expect(stderr).toMatch(/relative to current directory/)
      })
      test('replaces the launcher, and its exit code is the only one', () => {
        expect(launch({ args: ['--', 'sh', '-c', 'exit 42'] }).status).toBe(42)
        expect(launch({ args: ['--', 'sh', '-c', 'kill -TERM $$'] }).signal).toBe('SIGTERM')
      })
      test('has no descriptor of the launcher', () => {
        const { stdout } = launch({
          args: ['--', 'ls', '/proc/self/fd'],
          files: { [layer('exec.d/a')]: helper('true') },
        })
        // The tests' own process may have left some open for all its children.
        expect(stdout).toBe(spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout)
      })
      test.each([
        ['', 'app'],
        ['working-dir = "sub"', 'app/sub'],
        ['working-dir = "/"', undefined],
      ])('starts in its directory (%s)', (line, directory) => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["pwd"]\ndirect = true\nbuildpack-id = "older"\n${line}`
        expect(printed({ as: 'web', metadata, files: { 'app/sub/': '' } })).toEqual([
          directory === undefined ? '/' : join(top, directory),
        ])
      })
      test('needs the app', () => {
        const { status, stderr } = launch({ as: 'web', env: { CNB_APP_DIR: '/no/app' } })
        expect([status, stderr]).toEqual([
          82,
          'ERROR: failed to launch: change to app directory: chdir /no/app: no such file or directory\n',
        ])
      })
    })
  })
}
