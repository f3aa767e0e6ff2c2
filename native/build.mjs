// `npm run native:build`: compiles native/src into native/built/{amd64,arm64}/{launcher,starter,sandbox}, which are kept in the
// repository so that nobody else needs a compiler. The same sources give the same bytes on every machine.
//
// Plain JavaScript, for whatever Node the machine has. Needs Python 3 with pip, through which the pinned compiler comes;
// it is kept in the user's cache folder.
//
//   node native/build.mjs [--output FOLDER] [--cache FOLDER]
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const requirements = join(here, 'requirements.txt')

export const PROGRAMS = {
  launcher: [
    'launcher.c',
    'api.c',
    'exec-d.c',
    'metadata.c',
    'process.c',
    'shell.c',
    'variables.c',
    'toml.c',
    'toml-scalar.c',
    'toml-text.c',
    'toml-tree.c',
    'base.c',
  ],
  starter: ['starter.c', 'base.c'],
  sandbox: ['sandbox.c', 'sandbox-namespaces.c', 'sandbox-mounts.c', 'sandbox-init.c', 'base.c'],
}

export const ARCHITECTURES = { amd64: 'x86_64-linux-musl', arm64: 'aarch64-linux-musl' }

export const WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-Werror']

const FLAGS = [
  ...WARNINGS,
  '-Os',
  '-static',
  '-s',
  '-fno-sanitize=all',
  '-fno-asynchronous-unwind-tables',
  '-ffunction-sections',
  '-fdata-sections',
  '-Wl,--gc-sections',
  '-Wl,--build-id=none',
]

function run(command, args, options, advice) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], ...options })
  if (error !== undefined) throw new Error(`${command} could not be started: ${error.message}. ${advice}`)
  if (status !== 0) throw new Error(`${command} ${args[0]} failed (its message stands above). ${advice}`)
}

/** The pinned compiler, installed on first use; pip checks the digest of what it downloads. */
function compiler(cache) {
  const pin = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(cache, `compiler-${pin}-${process.arch}`)
  const zig = join(folder, 'ziglang', 'zig')
  if (existsSync(zig)) return zig
  mkdirSync(cache, { recursive: true })
  const temporary = mkdtempSync(`${folder}.`)
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile']
    run(
      'python3',
      [
        ...pip,
        '--no-deps',
        '--only-binary=:all:',
        '--require-hashes',
        '--target',
        temporary,
        '-r',
        requirements,
      ],
      { env: { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' } },
      'Building needs Python 3 with pip (Debian: python3-pip) and the index that pip is set up for.',
    )
    renameSync(temporary, folder)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    // Somebody else's finished one is as good.
    if (!existsSync(zig)) throw error
  }
  return zig
}

/** @param {{output: string, cache: string, sources?: string}} options */
export function build({ output, cache, sources = join(here, 'src') }) {
  const zig = compiler(cache)
  // Its own cache of object files is only for this run: what is in it must never decide about the bytes.
  const objects = mkdtempSync(join(tmpdir(), 'slipway-native-'))
  try {
    const env = {
      ...process.env,
      ZIG_LOCAL_CACHE_DIR: objects,
      ZIG_GLOBAL_CACHE_DIR: join(cache, 'zig'),
      SOURCE_DATE_EPOCH: '0',
    }
    for (const [architecture, target] of Object.entries(ARCHITECTURES)) {
      mkdirSync(join(output, architecture), { recursive: true })
      for (const [program, files] of Object.entries(PROGRAMS)) {
        const made = join(objects, program)
        const args = ['cc', '-target', target, '-mcpu=baseline', ...FLAGS, '-o', made, ...files]
        // Names relative to the sources: no path of this machine can get into the file.
        run(zig, args, { cwd: sources, env }, 'The sources stand in native/src.')
        chmodSync(made, 0o755)
        install(made, join(output, architecture, program))
      }
    }
  } finally {
    rmSync(objects, { recursive: true, force: true })
  }
}

/** In one step, and not at all where the same bytes are there: then no clone sees a change. */
function install(made, target) {
  const bytes = readFileSync(made)
  if (existsSync(target) && readFileSync(target).equals(bytes)) return
  const temporary = `${target}.${process.pid}.tmp`
  writeFileSync(temporary, bytes, { mode: 0o755 })
  renameSync(temporary, target)
}

function defaultCache() {
  if (process.env.SLIPWAY_HOME) return join(process.env.SLIPWAY_HOME, 'cache', 'native')
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway', 'native')
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { output: { type: 'string' }, cache: { type: 'string' } } })
  try {
    build({
      output: resolve(values.output ?? join(here, 'built')),
      cache: resolve(values.cache ?? defaultCache()),
    })
  } catch (error) {
    console.error(`native/build.mjs: ${error.message}`)
    process.exit(1)
  }
}
