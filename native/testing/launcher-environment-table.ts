import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  BUILDPACKS,
  helper,
  type Launch,
  type LauncherWorld,
  launcherWorld,
  layer,
} from './launcher-world.ts'

/** What the launcher's process gets of layers, exec.d programs and profiles, case by case (cnb-spec §7.2, §7.3). */
export function launcherEnvironmentTable(name: string, binary: () => string): void {
  describe(name, () => {
    let world: LauncherWorld
    let top: string
    beforeEach(() => {
      world = launcherWorld(binary())
      top = world.top
    })
    afterEach(() => world[Symbol.dispose]())
    const launch: LauncherWorld['launch'] = (what) => world.launch(what)
    const put: LauncherWorld['put'] = (path, content) => world.put(path, content)

    /** The environment that a program of the user's own gets. */
    function environment(what: Launch): Record<string, string> {
      const { stdout, stderr, status } = launch({ ...what, args: ['--', 'env', '-0'] })
      expect([stderr, status]).toEqual(['', 0])
      const entries = stdout.split('\0').slice(0, -1)
      const variables = Object.fromEntries(
        entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
      )
      delete variables.ASAN_OPTIONS
      return variables
    }

    describe('the environment', () => {
      test('is that of the container without the launcher’s own', () => {
        const env = {
          A: 'one=two\n',
          CNB_PROCESS_TYPE: '',
          CNB_DEPRECATION_MODE: 'quiet',
          CNB_EXEC_ENV: 'production',
          PATH: '/cnb/process:/a::/cnb/lifecycle:/usr/bin:/bin:/cnb/process',
        }
        expect(environment({ env })).toEqual({
          A: env.A,
          CNB_EXEC_ENV: 'production',
          PATH: '/a::/usr/bin:/bin',
        })
      })
      test('gets the directories of layers, later ones first', () => {
        const files = {
          [layer('bin/', 'some_buildpack', 'a')]: '',
          [layer('bin/', 'some_buildpack', 'b')]: '',
          [layer('lib/', 'some_buildpack', 'b')]: '',
          [layer('lib/', 'older', 'z')]: '',
          'layers/unknown/layer/bin/': '',
          'layers/some_buildpack/file.toml': '',
        }
        const path = (name: string) => join(top, 'layers', name)
        expect(environment({ files })).toEqual({
          PATH: `${path('some_buildpack/b/bin')}:${path('some_buildpack/a/bin')}:/usr/bin:/bin`,
          LD_LIBRARY_PATH: `${path('older/z/lib')}:${path('some_buildpack/b/lib')}`,
        })
      })
      test.each([
        ['bare', { N: 'new' }, 'old', 'new'],
        ['override', { 'N.override': 'new' }, 'old', 'new'],
        ['default', { 'N.default': 'new' }, 'old', 'old'],
        ['default of what is empty', { 'N.default': 'new' }, '', 'new'],
        ['append', { 'N.append': 'new', 'N.delim': '**' }, 'old', 'old**new'],
        ['append without delimiter', { 'N.append': 'new' }, 'old', 'oldnew'],
        ['append to nothing', { 'N.append': 'new', 'N.delim': '**' }, undefined, 'new'],
        ['prepend', { 'N.prepend': 'new', 'N.delim': '\n' }, 'old', 'new\nold'],
        ['no other suffix', { 'N.a.b': 'new', 'N.other': 'x', 'N.': 'y' }, 'old', 'old'],
        ['nothing trimmed', { N: ' new \n\n' }, 'old', ' new \n\n'],
        [
          'in the order of names',
          { N: '1', 'N.append': '2', 'N.default': '3', 'N.prepend': '4' },
          'old',
          '412',
        ],
      ])('is changed by files: %s', (_, written, before, after) => {
        const files = Object.fromEntries(
          Object.entries(written).map(([name, text]) => [layer(`env/${name}`), text]),
        )
        const env: Record<string, string> = before === undefined ? {} : { N: before }
        expect(environment({ files, env }).N).toBe(after)
      })
      test('takes env, env.launch and the process’s own, layer by layer', () => {
        const files = {
          [layer('env/N.append')]: '1',
          [layer('env.launch/N.append')]: '2',
          [layer('env.launch/web/N.append')]: '3',
          [layer('env.build/N.append')]: 'x',
          [layer('env.launch/other/N.append')]: 'x',
          [layer('env/N.append', 'older', 'x')]: '4',
        }
        expect(environment({ files }).N).toBe('124')
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["printenv", "N"]\ndirect = true`
        expect(launch({ as: 'web', metadata, files }).stdout).toBe('1234\n')
      })
      test('takes files behind links, not directories', () => {
        put('value', 'linked')
        put(layer('env/folder/'), '')
        symlinkSync(join(top, 'value'), join(top, layer('env/N')))
        symlinkSync(join(top, 'app'), join(top, layer('env/D')))
        expect(environment({})).toEqual({ N: 'linked', PATH: '/usr/bin:/bin' })
        symlinkSync('/no/such/file', join(top, layer('env/X')))
        expect(launch({ as: 'web' }).status).toBe(82)
      })
      test('cannot hold a NUL', () => {
        const { status, stderr } = launch({ as: 'web', files: { [layer('env/N')]: 'a\0b' } })
        expect(status).toBe(82)
        expect(stderr).toMatch(/modify env: .*a NUL byte/)
      })
    })

    describe('exec.d', () => {
      test('sets variables over the container’s, each visible to the next', () => {
        const files = {
          [layer('exec.d/b')]: helper(`printf 'B = "%s-b"\\nC = """\\nmany\\nlines"""' "$A" >&3`),
          [layer('exec.d/a')]: helper(`echo "A = 'a'" >&3`),
          [layer('exec.d/web/c')]: helper('echo "A = \\"web\\"" >&3'),
          [layer('env/A')]: 'layer',
        }
        expect(environment({ files, env: { A: 'user' } })).toMatchObject({
          A: 'a',
          B: 'a-b',
          C: 'many\nlines',
        })
      })
      test('runs in the app with the outputs of the launcher and no input', () => {
        const files = { [layer('exec.d/a')]: helper('pwd; cat; echo problem >&2') }
        const { stdout, stderr } = launch({ args: ['--', 'true'], files })
        expect([stdout, stderr]).toEqual([`${join(top, 'app')}\n`, 'problem\n'])
      })
      test.each([
        ['exit 3', 'failed to execute exec.d file at path .*: exit status 3'],
        ['kill -KILL $$', 'failed to execute exec.d file at path .*: signal: [Kk]illed'],
        ['echo "A = 1" >&3', 'failed to decode output .*: `A` must be a string, not an integer'],
        ['echo "[A]" >&3', 'failed to decode output .*: `A` must be a string, not a table'],
        ['echo "A = " >&3', 'failed to decode output .*: line 1: expected a value'],
        [`printf 'A = "\\\\u0000"' >&3`, 'failed to decode output .*: a NUL character'],
        ['yes >&3', 'failed to .*: '],
      ])('%s is refused', (text, message) => {
        const { status, stderr } = launch({
          args: ['--', 'true'],
          files: { [layer('exec.d/a')]: helper(text) },
        })
        expect(status).toBe(82)
        expect(stderr).toMatch(new RegExp(`^ERROR: failed to launch: exec\\.d: ${message}`, 'm'))
      })
      test('must be executable', () => {
        const { status, stderr } = launch({ args: ['--', 'true'], files: { [layer('exec.d/a')]: 'text' } })
        expect(status).toBe(82)
        expect(stderr).toMatch(/permission denied/)
      })
    })

    describe('the shell', () => {
      const text = (what: Launch) => launch(what).stdout
      const profiles = {
        [layer('profile.d/one.sh')]: 'echo one; export P=profile',
        [layer('profile.d/web/two.sh')]: 'echo two "$P"',
        'app/.profile': 'echo app "$0"',
      }

      test('evaluates each word of a command', () => {
        const env = { V: 'with "quotes" and  blanks' }
        expect(text({ args: ['printf', '<%s>', '$V', "it's", '$(echo x)'], env })).toBe(
          `<with "quotes" and  blanks><it's><x>`,
        )
      })
      test('runs a command without arguments as a script', () => {
        expect(text({ args: ['echo "$V" && echo b'], env: { V: 'a' } })).toBe('a\nb\n')
      })
      test('sources the profiles of layers and of the app', () => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = "echo $P"\nbuildpack-id = "older"`
        expect(text({ as: '/cnb/process/web', metadata, files: profiles })).toBe(
          'one\ntwo profile\napp /cnb/process/web\nprofile\n',
        )
        expect(text({ args: ['echo', '$P'], files: profiles })).toBe('one\napp launcher\nprofile\n')
      })
      test('is not there for a direct process', () => {
        expect(text({ args: ['--', 'echo', '$P'], files: profiles })).toBe('$P\n')
      })
      test('goes to the process’s directory behind the profiles', () => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = "pwd"\nbuildpack-id = "older"\nworking-dir = "/"`
        expect(text({ as: 'web', metadata, files: { 'app/.profile': 'pwd' } })).toBe(
          `${join(top, 'app')}\n/\n`,
        )
      })
      test('needs a known buildpack for words', () => {
        const metadata = '[[processes]]\ntype = "web"\ncommand = "echo"\nargs = ["x"]\nbuildpack-id = "gone"'
        const { status, stderr } = launch({ as: 'web', metadata, env: { CNB_PLATFORM_API: '0.9' } })
        expect([status, stderr]).toEqual([
          82,
          "ERROR: failed to launch: process type 'web' provided by unknown buildpack 'gone'\n",
        ])
      })
    })
  })
}
