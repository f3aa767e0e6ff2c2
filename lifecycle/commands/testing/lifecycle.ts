import { spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** The lifecycle as it is shipped, one CommonJS file, driven as processes of an ordinary user. */
export interface TestLifecycle extends Disposable {
  /** A directory that the ordinary user may write to. */
  readonly directory: string
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ended>
  start(command: string, args: readonly string[], options?: RunOptions): Started
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Keeps root where the test has it. */
  readonly privileged?: boolean
  /**
   * A directory that stands at `/kaniko`. The program is in a mount namespace then, where it is known by its subcommands
   * alone: `run('lifecycle', ['restore', …])`.
   */
  readonly kaniko?: string
  /** What starts the process in place of the test: a program and its arguments (`strace`). */
  readonly under?: readonly [string, ...string[]]
}

export interface Started {
  readonly pid: number
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `nobody`: an id that is not root's, of a user that exists, which the Go lifecycle's creator asks for. */
export const ORDINARY_USER = 65534

/**
 * Loads the program after it has become an ordinary user. Node itself is started as who the test runs as: a checkout in
 * root's home could not be read otherwise. The program is compiled from the code cache that its first run leaves: most of a
 * short phase's time would be compiling, and tests start thousands of them.
 */
const WRAPPER = `
const { readFileSync, writeFileSync } = require('node:fs')
const { Script } = require('node:vm')
const path = process.argv[2]
const source = readFileSync(path, 'latin1')
let cachedData
try {
  cachedData = readFileSync(path + '.cache')
} catch {}
const text = '(function (require, module, exports, __filename) {' + source + '})'
const script = new Script(text, { filename: path, cachedData })
if (cachedData === undefined) process.on('exit', () => writeFileSync(path + '.cache', script.createCachedData()))
const module_ = { exports: {} }
process.argv.splice(1, 2, path)
if (process.getuid() === 0) {
  process.setgroups([])
  process.setgid(${ORDINARY_USER})
  process.setuid(${ORDINARY_USER})
}
script.runInThisContext()(require, module_, module_.exports, path)
`

/** A source file with another content than it has. */
export interface ChangedSource {
  /** Relative to the repository. */
  readonly file: string
  readonly content: string
}

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

/** Bundles the program, with `changed` where a test wants to see a fault found. */
export async function testLifecycle(changed?: ChangedSource): Promise<TestLifecycle> {
  const directory = mkdtempSync(join(tmpdir(), 'lifecycle.'))
  chmodSync(directory, 0o777)
  const program = join(directory, 'lifecycle.cjs')
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ['lifecycle/main.ts'],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    define: { SLIPWAY_VERSION: '"1.2.3-test"' },
    logLevel: 'error',
    plugins: changed === undefined ? [] : [readsInstead(changed)],
  })
  const wrapper = join(directory, 'as-user.cjs')
  writeFileSync(wrapper, WRAPPER)
  const start: TestLifecycle['start'] = (command, args, options = {}) => {
    const scripts = options.privileged === true ? [program] : [wrapper, program]
    const under = options.kaniko === undefined ? options.under : withKaniko(options.kaniko)
    return started(command, [...scripts, ...args], directory, { ...options, ...(under && { under }) })
  }
  // No such credentials: it ends before it connects, and has loaded much of what a phase with a registry needs.
  const warming = { CNB_LAYERS_DIR: directory, CNB_REGISTRY_AUTH: 'none' }
  await start('analyzer', ['-run-image', 'run', 'app'], { env: warming }).ended
  return {
    directory,
    start,
    run: (...given) => start(...given).ended,
    [Symbol.dispose]: () => {
      openDirectories(directory)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Tests close directories to see what a phase says; who is not root could not remove them. */
function openDirectories(directory: string): void {
  if (process.getuid?.() === 0) return
  chmodSync(directory, 0o700)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(directory, entry.name))
  }
}

function readsInstead({ file, content }: ChangedSource): Plugin {
  const path = join(REPOSITORY, file)
  return {
    name: 'changed source',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, (source) =>
        source.path === path ? { contents: content, loader: 'ts' } : undefined,
      ),
  }
}

const PATH = process.env.PATH ?? '/usr/bin:/bin'

/** What runs Node with all of this machine's directories where they are, and one more. */
function withKaniko(directory: string): [program: string, ...args: string[]] {
  const here = readdirSync('/', { withFileTypes: true }).filter(({ name }) => name !== 'kaniko')
  return [
    'bwrap',
    ...here.flatMap((entry) =>
      entry.isSymbolicLink()
        ? ['--symlink', readlinkSync(`/${entry.name}`), `/${entry.name}`]
        : ['--dev-bind', `/${entry.name}`, `/${entry.name}`],
    ),
    ...['--bind', directory, '/kaniko', '--die-with-parent'],
    // Root gives itself up inside.
    ...(process.getuid?.() === 0 ? ['--cap-add', 'ALL'] : []),
  ]
}

function started(
  command: string,
  args: readonly string[],
  cwd: string,
  { env = {}, under }: RunOptions,
): Started {
  const variables = Object.entries({ PATH, CNB_PLATFORM_API: '0.15', CNB_NO_COLOR: 'true', ...env })
  const [program, ...before] = under === undefined ? [process.execPath] : [...under, process.execPath]
  const child = spawn(program, [...before, ...args], {
    ...(under === undefined ? { argv0: command } : {}),
    cwd,
    env: Object.fromEntries(variables.filter(([, value]) => value !== undefined)),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => (texts.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (texts.stderr += text))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...texts }))
  })
  return { pid: child.pid ?? 0, ended, kill: (signal) => child.kill(signal) }
}

/** A builder's and an app's directories, with the flags that name them. */
export interface TestPlace {
  readonly directory: string
  readonly detectFlags: readonly string[]
  readonly buildFlags: readonly string[]
  path(...parts: string[]): string
  write(path: string, text: string, mode?: number): void
  read(path: string): string
  buildpack(id: string, parts: BuildpackParts): void
  /** Writes order.toml; a `?` behind an ID means optional. */
  order(...groups: readonly string[][]): void
  extension(id: string, parts: ExtensionParts): void
  /** Adds to order.toml. */
  orderExtensions(...groups: readonly string[][]): void
}

export interface ExtensionParts {
  readonly api?: string
  /** More lines of extension.toml; those of `[extension]` come first. */
  readonly toml?: string
  readonly detect?: string
  readonly generate?: string
  /** detect/plan.toml, which stands for bin/detect. */
  readonly plan?: string
  /** Files below generate/, which stands for bin/generate. */
  readonly generated?: Readonly<Record<string, string>>
}

export interface BuildpackParts {
  readonly api?: string
  readonly version?: string
  /** More lines of buildpack.toml; those of `[buildpack]` come first. */
  readonly toml?: string
  readonly detect?: string
  readonly build?: string
}

let places = 0

export function testPlace(lifecycle: TestLifecycle): TestPlace {
  return testPlaceAt(join(lifecycle.directory, `place${++places}`))
}

/** The same in a directory of the caller's. */
export function testPlaceAt(directory: string): TestPlace {
  for (const name of ['', 'app', 'layers', 'platform/env', 'buildpacks', 'config/env']) {
    mkdirSync(join(directory, name), { recursive: true })
    chmodSync(join(directory, name), 0o777)
  }
  const path = (...parts: string[]) => join(directory, ...parts)
  const common = [
    ...['-app', path('app'), '-layers', path('layers'), '-platform', path('platform')],
    ...['-buildpacks', path('buildpacks'), '-build-config', path('config')],
  ]
  const place: TestPlace = {
    directory,
    detectFlags: [...common, '-order', path('order.toml')],
    buildFlags: common,
    path,
    write: (name, text, mode = 0o644) => {
      mkdirSync(dirname(path(name)), { recursive: true })
      writeFileSync(path(name), text)
      chmodSync(path(name), mode)
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    buildpack: (id, { api = '0.12', version = '1.0.0', toml = '', detect, build: build_ }) => {
      const folder = `buildpacks/${id.replaceAll('/', '_')}/${version}`
      place.write(
        `${folder}/buildpack.toml`,
        `api = "${api}"\n[buildpack]\nid = "${id}"\nversion = "${version}"\n${toml}`,
      )
      if (detect !== undefined) place.write(`${folder}/bin/detect`, `#!/bin/bash\n${detect}\n`, 0o755)
      if (build_ !== undefined) place.write(`${folder}/bin/build`, `#!/bin/bash\n${build_}\n`, 0o755)
    },
    order: (...groups) => place.write('order.toml', orderText('order', groups)),
    extension: (id, { api = '0.12', toml = '', detect, generate, plan, generated = {} }) => {
      const folder = `extensions/${id.replaceAll('/', '_')}/1.0.0`
      place.write(
        `${folder}/extension.toml`,
        `api = "${api}"\n[extension]\nid = "${id}"\nversion = "1.0.0"\n${toml}`,
      )
      for (const [name, script] of Object.entries({ detect, generate }))
        if (script !== undefined) place.write(`${folder}/bin/${name}`, `#!/bin/bash\n${script}\n`, 0o755)
      if (plan !== undefined) place.write(`${folder}/detect/plan.toml`, plan)
      for (const [name, text] of Object.entries(generated)) place.write(`${folder}/generate/${name}`, text)
    },
    orderExtensions: (...groups) =>
      place.write('order.toml', `${place.read('order.toml')}${orderText('order-extensions', groups)}`),
  }
  return place
}

function orderText(key: string, groups: readonly string[][]): string {
  const entry = (id: string) =>
    `[[${key}.group]]\nid = "${id.replace('?', '')}"\nversion = "1.0.0"\noptional = ${id.endsWith('?')}\n`
  return groups.map((group) => `[[${key}]]\n${group.map(entry).join('')}`).join('')
}

/** Whether a process still does something: one that nobody has waited for yet does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
