import { execFileSync, spawn } from 'node:child_process'
import { chownSync, cpSync, lchownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The working tree that these tests belong to. */
export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** Somebody who uses Slipway: root, or an ordinary user (with no entry in /etc/passwd where the tests run as root). */
export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const ORDINARY = 20_077

/** Whoever runs the tests. */
export function self(): User {
  const uid = process.getuid?.() ?? 0
  return { name: uid === 0 ? 'root' : 'an ordinary user', uid, gid: process.getgid?.() ?? 0 }
}

/** An ordinary user beside root; nobody where the tests run as an ordinary user. */
export function otherUser(): User | undefined {
  return self().uid === 0 ? { name: 'an ordinary user', uid: ORDINARY, gid: ORDINARY } : undefined
}

/** A fresh clone and a home of its own for one user. Disposing of it removes both. */
export interface Installation extends Disposable {
  readonly clone: string
  readonly home: string
  readonly user: User
}

/** Files that git knows, or would: what a newcomer's clone of this working tree holds. */
function projectFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: PROJECT,
    encoding: 'utf8',
  })
  return output.split('\0').filter(Boolean)
}

export function freshInstallation(user: User): Installation {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-clone-'))
  const clone = join(folder, 'slipway')
  const home = mkdtempSync(join(folder, 'home-'))
  for (const file of projectFiles())
    cpSync(join(PROJECT, file), join(clone, file), { verbatimSymlinks: true, force: true })
  own(folder, user)
  return {
    clone,
    home,
    user,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/** Gives a tree to a user; only root has to. */
export function own(path: string, user: User): void {
  if (process.getuid?.() !== 0 || user.uid === 0) return
  chownSync(path, user.uid, user.gid)
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    lchownSync(join(entry.parentPath, entry.name), user.uid, user.gid)
  }
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly pid: number
  readonly ended: Promise<Outcome>
  /** Resolves when standard output or error matches; rejects when the process ends first. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  kill(signal: NodeJS.Signals): void
}

/** What the test runner, and npm that started it, put into the environment of their children. */
const RUNNERS = [
  /^(VITEST|NODE_(?!EXTRA_CA_CERTS$)|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/,
  /^npm_(?!config_)/,
  /^npm_config_(cache|userconfig|globalconfig|(local_|global_)?prefix|init_module|node_gyp|noproxy|npm_version|user_agent)$/,
]

/** The environment of a person at a shell: the machine's own settings, a home of their own, nothing of the test runner. */
export function environment(
  installation: Installation,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !RUNNERS.some((pattern) => pattern.test(name)) && !/^(XDG|SLIPWAY)_/.test(name),
  ) as [string, string][]
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'))
  return {
    ...Object.fromEntries(kept),
    PATH: path.join(':'),
    HOME: installation.home,
    SLIPWAY_HOME: join(installation.home, 'slipway'),
    ...extra,
  }
}

export function start(
  installation: Installation,
  command: readonly [string, ...string[]],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Started {
  const [program, ...args] = command
  const child = spawn(program, args, {
    cwd: options.cwd ?? installation.clone,
    env: environment(installation, options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 ? { uid: installation.user.uid, gid: installation.user.gid } : {}),
  })
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  const heard = (): void => waiting.forEach((look) => void look())
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    heard()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
    heard()
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr)
          if (match === null) return
          waiting.delete(look)
          resolve(match)
        }
        waiting.add(look)
        look()
        void ended.then(() => reject(new Error(`ended before ${pattern} was seen:\n${stdout}\n${stderr}`)))
      }),
  }
}

/** Runs a command in the clone to its end. */
export function run(
  installation: Installation,
  command: readonly [string, ...string[]],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<Outcome> {
  return start(installation, command, options).ended
}
