/**
 * The native launcher does what the model decides: both get the same random layers, processes and arguments, and what they
 * start must print the same. With REFERENCE_LIFECYCLE (a folder laid out like /cnb/lifecycle) its launcher is compared too.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { BUILDPACK_APIS, formatApiVersion, PLATFORM_APIS } from '../../spec/api-version.ts'
import { tomlTable } from '../../spec/toml/value.ts'
import { struct, writeToml } from '../../spec/toml/write.ts'
import type { Environment } from '../environment/variables.ts'
import { decideLaunch } from './decide.ts'
import type { LaunchFile } from './files.ts'

const architecture = process.arch === 'x64' ? 'amd64' : process.arch
const native = fileURLToPath(new URL(`../../native/built/${architecture}/launcher`, import.meta.url))
const reference = process.env.REFERENCE_LIFECYCLE
const launchers = [native, ...(reference === undefined ? [] : [join(reference, 'launcher')])]

/** Prints its arguments, directory and environment. */
const DUMP = '#!/bin/sh\nprintf "%s\\n" "$@" "$(pwd)"\ntr "\\0" "\\n" < /proc/$$/environ | sort\n'
const EXEC_D = [
  '#!/bin/sh\nprintf \'A = "%s-d"\\nD = "new\\\\nline"\' "$A" >&3\n',
  '#!/bin/sh\npwd >/dev/null; printf \'PATH = "%s:/d"\' "$PATH" >&3\n',
  '#!/bin/sh\n',
  '#!/bin/sh\nexit 3\n',
  '#!/bin/sh\nprintf "A = 1" >&3\n',
]

type Files = Readonly<Record<string, LaunchFile>>
const plain = (content: string): LaunchFile => ({ kind: 'file', content, executable: false })
const program = (content: string): LaunchFile => ({ kind: 'file', content, executable: true })

const envFiles = fc
  .dictionary(
    fc
      .tuple(
        fc.constantFrom('A', 'B', 'PATH', 'LD_LIBRARY_PATH'),
        fc.constantFrom('', '.append', '.prepend', '.default', '.override', '.delim', '.other', '.a.b'),
      )
      .map((parts) => parts.join('')),
    fc.constantFrom('1', '', ':', 'x y', 'é\n', '$A'),
    { maxKeys: 4 },
  )
  .map((entries) =>
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, plain(latin1(value))])),
  )

const execD = fc.dictionary(
  fc.constantFrom('a', 'b'),
  fc.constantFrom(...EXEC_D, ...Array.from({ length: 5 }, () => EXEC_D.slice(0, 3)).flat()).map(program),
  { maxKeys: 2 },
)
const profiles = fc.dictionary(
  fc.constantFrom('p', 'q.sh'),
  fc.constantFrom('export A="$A-p"\n', 'export B="$0"\n', 'A=unexported\n').map(plain),
  { maxKeys: 2 },
)
const folders = (name: string, arbitrary: fc.Arbitrary<Files>) =>
  fc.option(arbitrary, { nil: {}, freq: 1 }).map((files) => prefixed(name, files))

const layer: fc.Arbitrary<Files> = fc
  .tuple(
    folders('env', envFiles),
    folders('env.launch', envFiles),
    folders('env.launch/web', envFiles),
    fc.oneof({ arbitrary: fc.constant({}), weight: 3 }, { arbitrary: folders('exec.d', execD), weight: 1 }),
    fc.oneof(
      { arbitrary: fc.constant({}), weight: 3 },
      { arbitrary: folders('exec.d/web', execD), weight: 1 },
    ),
    folders('profile.d', profiles),
    folders('profile.d/web', profiles),
    fc.constantFrom<Files>({}, { 'bin/tool': program(DUMP) }, { 'lib/x': plain('') }, { bin: plain('') }),
    fc
      .constantFrom('', '', '', '', '', '.', '..', '../../../../bin/dump', 'gone')
      .map((target): Files => (target === '' ? {} : { 'env/A': { kind: 'link', target } })),
  )
  .map((parts) => Object.assign({}, ...parts))

const layers: fc.Arbitrary<Files> = fc
  .dictionary(fc.constantFrom('a_b/x', 'a_b/Y', 'a_b/é', 'c/x', 'other/x'), layer, { maxKeys: 3 })
  .map((entries) =>
    Object.assign({}, ...Object.entries(entries).map(([name, files]) => prefixed(latin1(name), files))),
  )

const words = fc.constantFrom('plain', '$A', 'two words', '"', "it's", '', 'é', '&&', '$PATH', '-x')
const processes = fc.array(
  fc.record(
    {
      type: fc.constantFrom('web', 'web', 'web', 'task'),
      command: fc.constantFrom<readonly string[]>(
        ['dump'],
        ['dump', 'always', '$A'],
        ['tool'],
        ['./local'],
        ['dump "$A"; true'],
        ['missing'],
        ['dump'],
        ['tool', 'always'],
        ['dump', 'x y'],
      ),
      direct: fc.boolean(),
      'buildpack-id': fc.constantFrom('a/b', 'c', 'a/b', 'c', 'gone'),
      args: fc.array(words, { maxLength: 2 }),
      'working-dir': fc.constantFrom('sub', '/', 'sub', '/', 'sub', 'gone'),
      'exec-env': fc.constantFrom(['*'], ['*'], ['production', 'x'], ['test']),
    },
    { requiredKeys: ['type', 'command', 'direct', 'buildpack-id'] },
  ),
  { minLength: 1, maxLength: 4 },
)

const cases = fc.record({
  layers,
  processes,
  apis: fc.tuple(...['a/b', 'c'].map(() => fc.constantFrom(...BUILDPACK_APIS, { major: 0n, minor: 12n }))),
  platformApi: fc.constantFrom(...PLATFORM_APIS),
  argv: fc
    .tuple(
      fc.constantFrom('/cnb/process/web', 'web', 'web', 'web', 'task', '/cnb/lifecycle/launcher'),
      fc.oneof(
        fc.array(words, { maxLength: 2 }),
        fc.constantFrom(['--'], ['dump'], ['dump "$A"']),
        fc.array(words, { maxLength: 2 }).map((rest) => ['--', 'dump', ...rest]),
        fc.array(words, { maxLength: 2 }).map((rest) => ['dump', ...rest]),
      ),
    )
    .map(([self, args]) => [self, ...args]),
  env: fc.record(
    {
      A: fc.constantFrom('', 'a', 'é b'),
      LD_LIBRARY_PATH: fc.constant('/l'),
      CNB_EXEC_ENV: fc.constantFrom('test', ''),
      CNB_PROCESS_TYPE: fc.constant('x'),
      CNB_DEPRECATION_MODE: fc.constant('quiet'),
    },
    { requiredKeys: [] },
  ),
  profile: fc.constantFrom<Files>(
    {},
    { '.profile': plain('export A="$A-app"\n') },
    { '.profile/x': plain('') },
  ),
})

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never

describe.each(launchers)('%s', (launcher) => {
  test('starts what the model decides', () => {
    expect(existsSync(launcher), `${launcher} is missing`).toBe(true)
    fc.assert(
      fc.property(cases, (random) => {
        const folder = mkdtempSync(join(tmpdir(), 'launch-'))
        try {
          expect(outcomeOfLauncher(launcher, random, folder)).toEqual(outcomeOfModel(random, folder))
        } finally {
          rmSync(folder, { recursive: true })
        }
      }),
      { numRuns: 200 },
    )
  })
})

interface Outcome {
  readonly code: number | null
  readonly output: string
}

function outcomeOfLauncher(launcher: string, random: Case, folder: string): Outcome {
  writeFiles(filesOf(random, folder))
  const [self = '', ...args] = random.argv
  const { status, stdout } = spawnSync(launcher, args, {
    argv0: self,
    env: environmentOf(random, folder),
    cwd: '/',
    encoding: 'utf8',
  })
  return { code: status, output: [1, 11, 12, 82].includes(status ?? 0) ? '' : withoutWarnings(stdout) }
}

/** The reference warns on stdout, ours on stderr. */
function withoutWarnings(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colour of the word
  return output.replace(/^(?:\x1b\[[\d;]*m)?Warning: .*\n/gm, '')
}

function outcomeOfModel(random: Case, folder: string): Outcome {
  try {
    const {
      program: path,
      argv,
      env,
      cwd,
    } = decideLaunch({
      argv: random.argv.map(latin1),
      environ: Object.entries(environmentOf(random, folder)).map(([name, value]) =>
        latin1(`${name}=${value}`),
      ),
      cwd: '/',
      files: new Map(Object.entries(filesOf(random, folder))),
      runExecD: (helper, variables) => runExecD(helper, variables, `${folder}/app`),
    })
    const [argv0 = '', ...args] = argv.map(utf8)
    const { status, stdout, error } = spawnSync(utf8(path), args, {
      argv0,
      env: environmentFrom(env),
      cwd: utf8(cwd),
      encoding: 'utf8',
    })
    return error === undefined
      ? { code: status, output: [1, 82].includes(status ?? 0) ? '' : stdout }
      : { code: 82, output: '' }
  } catch (error) {
    if (error instanceof SlipwayError) return { code: error.exitCode, output: '' }
    throw error
  }
}

function runExecD(helper: string, variables: Environment, cwd: string): string | undefined {
  const { status, output } = spawnSync(utf8(helper), [], {
    env: environmentFrom(variables),
    cwd,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    encoding: 'latin1',
  })
  return status === 0 ? (output[3] ?? '') : undefined
}

function filesOf(random: Case, folder: string): Files {
  const metadata = struct({
    buildpacks: ['a/b', 'c'].map((id, i) =>
      struct({ id, version: '1', api: formatApiVersion(random.apis[i] ?? { major: 0n, minor: 12n }) }),
    ),
    processes: random.processes.map((process) => tomlTable(Object.entries(process))),
  })
  const files: Files = {
    ...prefixed('layers', random.layers),
    'layers/config/metadata.toml': plain(latin1(writeToml(metadata))),
    ...prefixed('app', random.profile),
    'app/local': program(DUMP),
    'app/sub/x': plain(''),
    'bin/dump': program(DUMP),
    'bin/tool': program(DUMP),
  }
  return withParents(prefixed(folder, files))
}

function environmentOf(random: Case, folder: string): Record<string, string> {
  return {
    CNB_PLATFORM_API: formatApiVersion(random.platformApi),
    CNB_LAYERS_DIR: `${folder}/layers`,
    CNB_APP_DIR: `${folder}/app`,
    PATH: `/cnb/process:/cnb/lifecycle:${folder}/bin:/usr/bin:/bin`,
    ...random.env,
  }
}

/** Directories above every file, down from the root. */
function withParents(files: Files): Files {
  const all: Record<string, LaunchFile> = { '/': { kind: 'directory' } }
  for (const [path, what] of Object.entries(files)) {
    for (let up = dirname(path); up !== '/'; up = dirname(up)) all[up] = { kind: 'directory' }
    all[path] ??= what
  }
  return all
}

function writeFiles(files: Files): void {
  for (const [path, what] of Object.entries(files)) {
    const name = Buffer.from(path, 'latin1')
    if (what.kind === 'directory') mkdirSync(name, { recursive: true })
    else if (existsSync(name)) continue
    else if (what.kind === 'link') symlinkSync(what.target, name)
    else {
      mkdirSync(Buffer.from(dirname(path), 'latin1'), { recursive: true })
      writeFileSync(name, Buffer.from(what.content, 'latin1'))
      if (what.executable) chmodSync(name, 0o755)
    }
  }
}

function prefixed(folder: string, files: Files): Files {
  return Object.fromEntries(Object.entries(files).map(([path, what]) => [`${folder}/${path}`, what]))
}

function environmentFrom(variables: Environment): Record<string, string> {
  return Object.fromEntries([...variables].map(([name, value]) => [utf8(name), utf8(value)]))
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
