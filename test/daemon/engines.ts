import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, httpOptionsFromEnvironment, withRetry } from '../../core/http/index.ts'
import { xzPool } from '../../sources/archive/xz.ts'
import { readAptHost } from '../../sources/debian/apt-host.ts'
import { fetchPackages } from '../../sources/debian/fetch.ts'
import { debianArchiveKeys } from '../../sources/debian/keys.ts'
import { loadIndex } from '../../sources/debian/load-index.ts'

/** A container engine of this test's own: its own socket, store and processes, ended with it. It takes root. */
export interface TestEngine extends AsyncDisposable {
  readonly socket: string
  /** What its API answers, as JSON. */
  ask(method: 'GET' | 'POST' | 'DELETE', path: string): Promise<unknown>
}

/**
 * Docker's daemon.
 * @param programs where dockerd and containerd are; this machine's where absent
 */
export async function startDocker(
  store: 'graph' | 'containerd',
  programs: readonly string[] = [],
): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-docker-'))
  const config = join(directory, 'daemon.json')
  const features = { 'containerd-snapshotter': store === 'containerd' }
  // The versions that have no such store do not know the feature either.
  writeFileSync(config, programs.length === 0 ? '{}' : JSON.stringify({ features }))
  const socket = join(directory, 'docker.sock')
  const flags = [
    ...[
      '--config-file',
      config,
      '--data-root',
      join(directory, 'data'),
      '--exec-root',
      join(directory, 'exec'),
    ],
    ...['--host', `unix://${socket}`, '--pidfile', join(directory, 'pid')],
    ...['--iptables=false', '--bridge=none', '--log-level', 'warn'],
  ]
  return started('dockerd', flags, { directory, socket, programs, package: 'docker.io' })
}

/** Podman's service. */
export async function startPodman(): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-podman-'))
  const socket = join(directory, 'podman.sock')
  const flags = [
    ...[
      '--root',
      join(directory, 'root'),
      '--runroot',
      join(directory, 'run'),
      '--tmpdir',
      join(directory, 'tmp'),
    ],
    ...['--cgroup-manager', 'cgroupfs', 'system', 'service', '--time=0', `unix://${socket}`],
  ]
  return started('podman', flags, { directory, socket, programs: [], package: 'podman' })
}

interface EngineFolder {
  readonly directory: string
  readonly socket: string
  readonly programs: readonly string[]
  readonly package: string
}

const START_LIMIT_MS = 60_000

async function started(program: string, flags: readonly string[], folder: EngineFolder): Promise<TestEngine> {
  const { directory, socket, programs } = folder
  const path = [...programs, process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(':')
  const child = spawn(program, flags, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: path },
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    if (log.length < 100_000) log += chunk.toString()
  })
  let failure: Error | undefined
  child.on('error', (cause) => {
    failure = new Error(`${program} cannot be started: install the package ${folder.package}`, { cause })
  })
  const close = async () => {
    await ended(child)
    unmount(directory)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    for (const limit = Date.now() + START_LIMIT_MS; !(await answers(socket)); await sleep(50)) {
      if (failure !== undefined) throw failure
      if (child.exitCode !== null || Date.now() > limit) throw new Error(`${program} does not answer: ${log}`)
    }
  } catch (error) {
    await close()
    throw error
  }
  return { socket, ask: (method, at) => ask(socket, method, at), [Symbol.asyncDispose]: close }
}

async function answers(socket: string): Promise<boolean> {
  return (
    existsSync(socket) &&
    ask(socket, 'GET', '/_ping').then(
      () => true,
      () => false,
    )
  )
}

function ask(socketPath: string, method: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: { host: 'engine' } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk) => (text += chunk))
      answer.on('error', reject).on('end', () => {
        if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text}`))
        else
          resolve(text.startsWith('{') || text.startsWith('[') ? JSON.parse(text.split('\n')[0] ?? '') : text)
      })
    })
    sent.on('error', reject).end()
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exit
}

/** Some stores leave mounts of their own folder behind. */
function unmount(directory: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
  for (const mount of mounts.reverse())
    if (mount.startsWith(`${directory}/`)) execFileSync('umount', ['-l', mount])
}

/**
 * Docker as the newer Debian has it, unpacked into a folder of this run: Debian 12's has no store of containerd's.
 * @returns folders for PATH
 */
export async function newerDocker(directory: string): Promise<readonly string[]> {
  const http = withRetry(createHttpClient(httpOptionsFromEnvironment(process.env)))
  await using pool = xzPool()
  try {
    const { archives, checksValidity } = readAptHost()
    const settings = { main: '/etc/apt', security: '/etc/apt' }
    const request = { archives, settings, suites: ['trixie'], securitySuite: 'trixie-security' }
    const loaded = await loadIndex(
      { http },
      {
        ...request,
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        keys: debianArchiveKeys(),
        now: new Date(),
        checkValidity: checksValidity,
      },
      pool,
    )
    const records = ['docker.io', 'containerd', 'runc'].map((name) => {
      const [record] = loaded.index.candidates(name)
      if (record === undefined) throw new Error(`Debian has no ${name}`)
      return record
    })
    mkdirSync(join(directory, 'work'), { recursive: true })
    const fetched = await fetchPackages({ http }, loaded.archives, records, {
      directory: join(directory, 'packages'),
      workDirectory: join(directory, 'work'),
      emit: () => {},
      task: 'docker',
    })
    const root = join(directory, 'root')
    for (const { path } of fetched) execFileSync('dpkg-deb', ['-x', path, root])
    return ['usr/sbin', 'usr/bin'].map((folder) => join(root, folder))
  } finally {
    await http.close()
  }
}
