import { describe, expect, test } from 'vitest'
import { decideLaunch, type LaunchInputs } from './decide.ts'
import type { LaunchFile } from './files.ts'

const file = (content = '', executable = false): LaunchFile => ({ kind: 'file', content, executable })

/** Files by path; the directories above them come by themselves, an empty one is written with a slash at its end. */
function tree(files: Readonly<Record<string, LaunchFile | string>>): Map<string, LaunchFile> {
  const all = new Map<string, LaunchFile>()
  for (const [path, what] of Object.entries(files)) {
    const parts = path.split('/').slice(1, -1)
    parts.forEach((_, i) => {
      all.set(`/${parts.slice(0, i + 1).join('/')}`, { kind: 'directory' })
    })
    if (!path.endsWith('/')) all.set(path, typeof what === 'string' ? file(what) : what)
  }
  return all
}

const METADATA = `
[[buildpacks]]
id = "a/b"
api = "0.9"
[[buildpacks]]
id = "old"
api = "0.8"
[[processes]]
type = "web"
command = ["server"]
args = ["default"]
direct = true
buildpack-id = "a/b"
[[processes]]
type = "always"
command = ["server", "always"]
args = ["default"]
direct = true
buildpack-id = "gone"
[[processes]]
type = "old"
command = "server"
args = ["own"]
direct = true
buildpack-id = "old"
[[processes]]
type = "shell"
command = "server $X"
buildpack-id = "old"
[[processes]]
type = "limited"
command = ["server"]
direct = true
exec-env = ["test"]
`
const BASE = {
  '/workspace/': '',
  '/usr/bin/server': file('', true),
  '/layers/config/metadata.toml': METADATA,
}

function decide(
  argv: readonly string[],
  files: Readonly<Record<string, LaunchFile | string>> = {},
  more: Partial<LaunchInputs> & { env?: readonly string[] } = {},
) {
  return decideLaunch({
    argv,
    environ: ['CNB_PLATFORM_API=0.15', 'PATH=/cnb/process:/cnb/lifecycle:/usr/bin', ...(more.env ?? [])],
    cwd: '/',
    files: tree({ ...BASE, ...files }),
    runExecD: () => '',
    ...more,
  })
}

const failing = (exitCode: number, code?: string) =>
  expect.objectContaining(code === undefined ? { exitCode } : { exitCode, code })

describe('which process', () => {
  test.each([
    [['/cnb/process/web'], ['server', 'default']],
    [
      ['/cnb/process/web', 'a', 'b'],
      ['server', 'a', 'b'],
    ],
    [['/cnb/process/always'], ['server', 'always', 'default']],
    [
      ['/cnb/process/always', 'a'],
      ['server', 'always', 'a'],
    ],
    [
      ['/cnb/process/old', 'a'],
      ['server', 'own', 'a'],
    ],
    [
      ['/cnb/lifecycle/launcher', '--', 'server', 'x'],
      ['server', 'x'],
    ],
  ])('%j', (argv, expected) => {
    expect(decide(argv)).toMatchObject({ program: '/usr/bin/server', argv: expected, cwd: '/workspace' })
  })

  test('before Platform API 0.10 arguments are appended', () => {
    const environ = ['CNB_PLATFORM_API=0.9', 'PATH=/usr/bin']
    expect(decide(['web', 'a'], {}, { environ }).argv).toEqual(['server', 'default', 'a'])
  })

  test('a process for other execution environments is not found', () => {
    expect(() => decide(['limited'])).toThrow(failing(82, 'LAUNCH_PROCESS_UNKNOWN'))
    expect(decide(['limited'], {}, { env: ['CNB_EXEC_ENV=test'] }).argv).toEqual(['server'])
  })

  test.each([
    [['launcher'], 'LAUNCH_NO_COMMAND'],
    [['launcher', '--', 'missing'], 'LAUNCH_PROGRAM_NOT_FOUND'],
    [['launcher', '--', ''], 'LAUNCH_PROGRAM_NOT_FOUND'],
  ] as const)('%j fails', (argv, code) => {
    expect(() => decide(argv)).toThrow(failing(82, code))
  })

  test('arguments for a process of an unknown buildpack', () => {
    const metadata = METADATA.replace('buildpack-id = "a/b"', 'buildpack-id = "x"')
    const files = { '/layers/config/metadata.toml': metadata }
    expect(decide(['web'], files).argv).toEqual(['server', 'default'])
    expect(() => decide(['web', 'a'], files)).toThrow(failing(82, 'LAUNCH_BUILDPACK_UNKNOWN'))
  })

  test('CNB_PROCESS_TYPE is warned of', () => {
    expect(decide(['web'], {}, { env: ['CNB_PROCESS_TYPE=x'] }).warnings).toEqual([
      'CNB_PROCESS_TYPE is not supported in Platform API 0.15',
      "Run with ENTRYPOINT 'x' to invoke the 'x' process type",
    ])
  })
})

describe('before anything is started', () => {
  test('versions are checked', () => {
    expect(() => decide(['web'], {}, { environ: [] })).toThrow(failing(11))
    expect(() => decide(['web'], {}, { environ: ['CNB_PLATFORM_API=0.6'] })).toThrow(failing(11))
    const files = { '/layers/config/metadata.toml': METADATA.replace('"0.9"', '"0.6"') }
    expect(() => decide(['web'], files)).toThrow(failing(12))
  })

  test('metadata must be readable', () => {
    expect(() => decide(['web'], { '/layers/config/metadata.toml': 'x' })).toThrow(failing(1))
    expect(() => decide(['web'], { '/layers/config/metadata.toml': '[[processes]]\ntype = 1' })).toThrow(
      failing(1),
    )
    expect(() => decide(['web'], { '/layers/config/metadata.toml': 'a = "\xff"' })).toThrow(failing(1))
    expect(() => decide(['web'], {}, { env: ['CNB_LAYERS_DIR=/none'] })).toThrow(failing(1))
  })
})

describe('environment', () => {
  test('the launcher leaves no trace', () => {
    const { env } = decide(
      ['web'],
      {},
      { env: ['CNB_APP_DIR=/workspace', 'CNB_EXEC_ENV=production', 'A=1', 'A=2', 'x'] },
    )
    expect([...env]).toEqual([
      ['PATH', '/usr/bin'],
      ['CNB_EXEC_ENV', 'production'],
      ['A', '1'],
    ])
  })

  test('directories of all layers, then their files', () => {
    const { env } = decide(['web'], {
      '/layers/a_b/one/bin/': '',
      '/layers/a_b/two/bin/': '',
      '/layers/a_b/two/lib/': '',
      '/layers/a_b/one/env/PATH.append': 'end',
      '/layers/a_b/one/env/PATH.delim': ':',
      '/layers/a_b/one/env/A': '1',
      '/layers/a_b/one/env.launch/A.prepend': '0',
      '/layers/a_b/one/env.launch/web/A.append': '2',
      '/layers/a_b/one/env.launch/other/A': 'x',
      '/layers/a_b/two/env/A.default': 'x',
      '/layers/a_b/two/env/B.default': 'b',
      '/layers/old/three/bin/': '',
      '/layers/old/three/env.build/C': 'x',
    })
    expect(env.get('PATH')).toBe('/layers/old/three/bin:/layers/a_b/two/bin:/layers/a_b/one/bin:/usr/bin:end')
    expect(env.get('LD_LIBRARY_PATH')).toBe('/layers/a_b/two/lib')
    expect(env.get('A')).toBe('012')
    expect(env.get('B')).toBe('b')
    expect(env.has('C')).toBe(false)
  })

  test('a command of the user has no variables of a process', () => {
    const files = { '/layers/a_b/one/env.launch/web/A': '1', '/layers/a_b/one/env.launch/B': '2' }
    const { env } = decide(['launcher', '--', 'server'], files)
    expect([env.get('A'), env.get('B')]).toEqual([undefined, '2'])
  })

  test('layers are directories, not links to them', () => {
    const files = {
      '/layers/a_b/real/env/A': '1',
      '/layers/a_b/linked': { kind: 'link', target: '/other' } as const,
      '/other/env/B': '2',
    }
    expect(decide(['web'], files).env.get('B')).toBeUndefined()
  })

  test('files behind links count, broken links are errors', () => {
    const env = (target: string) =>
      decide(['web'], {
        '/layers/a_b/x/env/A': { kind: 'link', target },
        '/layers/a_b/x/value': 'v',
      }).env.get('A')
    expect(env('../value')).toBe('v')
    expect(env('..')).toBeUndefined()
    expect(() => env('gone')).toThrow(failing(82, 'LAUNCH_ENV_UNREADABLE'))
  })

  test('exec.d sees what was set before it', () => {
    const seen: (readonly [string, string | undefined])[] = []
    const { execD, env } = decide(
      ['web'],
      {
        '/layers/a_b/x/env/A': '1',
        '/layers/a_b/x/exec.d/b': '',
        '/layers/a_b/x/exec.d/a': '',
        '/layers/a_b/x/exec.d/web/c': '',
        '/layers/a_b/y/exec.d/d': '',
      },
      {
        runExecD: (program, variables) => {
          seen.push([program.slice('/layers/a_b/'.length), variables.get('A')])
          return `A = "${program.at(-1)}"`
        },
      },
    )
    expect(seen).toEqual([
      ['x/exec.d/a', '1'],
      ['x/exec.d/b', 'a'],
      ['x/exec.d/web/c', 'b'],
      ['y/exec.d/d', 'c'],
    ])
    expect(execD).toHaveLength(4)
    expect(env.get('A')).toBe('d')
  })

  test.each([undefined, 'A = 1', '=', '\xff = "1"'])('exec.d that gives %j fails', (output) => {
    const files = { '/layers/a_b/x/exec.d/a': '' }
    expect(() => decide(['web'], files, { runExecD: () => output })).toThrow(failing(82))
  })
})

describe('where it runs', () => {
  const at = (directory: string) => ({
    '/layers/config/metadata.toml': METADATA.replaceAll(
      'direct = true',
      `direct = true\nworking-dir = "${directory}"`,
    ),
    '/workspace/sub/': '',
  })

  test('a working directory is relative to the app', () => {
    expect(decide(['web'], at('sub')).cwd).toBe('/workspace/sub')
    expect(decide(['web'], at('/usr')).cwd).toBe('/usr')
    expect(() => decide(['web'], at('gone'))).toThrow(failing(82, 'LAUNCH_DIRECTORY_MISSING'))
    expect(() => decide(['web'], {}, { env: ['CNB_APP_DIR=/gone'] })).toThrow(
      failing(82, 'LAUNCH_DIRECTORY_MISSING'),
    )
  })

  test('a program is looked up in the app directory and in PATH', () => {
    const files = { '/workspace/run': file('', true), '/workspace/bin/server': file('', true) }
    expect(decide(['launcher', '--', './run'], files).program).toBe('./run')
    const withPath = (path: string) =>
      decide(['web'], files, { environ: ['CNB_PLATFORM_API=0.15', `PATH=${path}`] })
    expect(withPath('/none:/usr/bin').program).toBe('/usr/bin/server')
    for (const path of ['', 'bin:/usr/bin', '/none']) {
      expect(() => withPath(path)).toThrow(failing(82, 'LAUNCH_PROGRAM_NOT_FOUND'))
    }
  })
})

describe('the shell', () => {
  test('runs a command without arguments as a script', () => {
    const decision = decide(['/cnb/process/shell'], {
      '/workspace/.profile': '',
      '/layers/a_b/x/profile.d/one': '',
      '/layers/a_b/x/profile.d/shell/two': '',
      '/layers/a_b/x/profile.d/web/no': '',
    })
    expect(decision).toMatchObject({
      program: '/bin/bash',
      cwd: '/workspace',
      profiles: ['/layers/a_b/x/profile.d/one', '/layers/a_b/x/profile.d/shell/two', '.profile'],
      argv: [
        'bash',
        '-c',
        'source "/layers/a_b/x/profile.d/one"\nsource "/layers/a_b/x/profile.d/shell/two"\nsource ".profile"\ncd "/workspace"\nexec bash -c "$@"',
        '/cnb/process/shell',
        'server $X',
      ],
    })
  })

  test('evaluates words where there are arguments', () => {
    expect(decide(['launcher', 'server', '$A']).argv).toEqual([
      'bash',
      '-c',
      `cd "/workspace"\nexec bash -c '"$(eval echo \\"$0\\")" "$(eval echo \\"\${1}\\")"' "\${@:1}"`,
      'launcher',
      'server',
      '$A',
    ])
  })

  test('a lone -- is a command of the shell', () => {
    expect(decide(['launcher', '--']).argv.at(-1)).toBe('--')
  })
})
