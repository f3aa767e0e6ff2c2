import { spawn } from 'node:child_process'
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Registry } from './registry.ts'

/** What one run took. */
export interface Measured {
  /** Seconds. */
  readonly wall: number
  /** Seconds of CPU of the command and all that it started. */
  readonly cpu: number
  /** Megabytes of memory of the largest process. */
  readonly peak: number
  /** Megabytes through read and write calls: files, pipes and sockets. */
  readonly read: number
  readonly written: number
  /** Requests that the registry got. */
  readonly requests: number
  /** CPU seconds that neither the command nor the registry used: how quiet the machine was. */
  readonly others: number
  /** What the command printed. */
  readonly output: string
}

export interface Command {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Started as this user; as the caller where absent. */
  readonly user?: { readonly uid: number; readonly gid: number }
}

/** A command that ended with another code than 0. */
export class CommandFailed extends Error {
  readonly output: string

  constructor(argv: readonly string[], code: number | null, output: string) {
    super(`${argv.join(' ')} ended with ${code}:\n${output}`)
    this.output = output
  }
}

/** The shell's own counters of read and write calls hold those of what it started and waited for. */
const COUNTED = '"$@"; code=$?; while read -r line; do echo "$line"; done </proc/$$/io >&3; exit $code'

/**
 * Runs a command and measures it, through GNU time (peak memory) and a shell (bytes): some milliseconds that fall on
 * every contestant. @throws CommandFailed
 */
export async function measure(command: Command, folder: string, registry?: Registry): Promise<Measured> {
  const files = { time: join(folder, 'time'), io: join(folder, 'io'), output: join(folder, 'output') }
  for (const file of Object.values(files)) {
    writeFileSync(file, '')
    // A phase that runs as another user writes there too.
    chmodSync(file, 0o666)
  }
  const output = openSync(files.output, 'w')
  const io = openSync(files.io, 'w')
  const [busy, log, registryCpu] = [busySeconds(), registry?.logSize() ?? 0, registry?.cpu() ?? 0]
  const start = performance.now()
  const code = await new Promise<number | null>((resolve, reject) => {
    const argv = ['-q', '-f', '%U %S %M', '-o', files.time, 'sh', '-c', COUNTED, 'sh', ...command.argv]
    const child = spawn('/usr/bin/time', argv, {
      ...command.user,
      env: command.env,
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
      stdio: ['ignore', output, output, io],
    })
    child.on('error', (cause) => reject(new Error('GNU time is needed: install the package time', { cause })))
    child.on('exit', resolve)
  })
  const wall = (performance.now() - start) / 1000
  closeSync(output)
  closeSync(io)
  const text = readFileSync(files.output, 'utf8')
  if (code !== 0) throw new CommandFailed(command.argv, code, text)
  const [user = 0, system = 0, kilobytes = 0] = numbers(readFileSync(files.time, 'utf8'))
  const [read = 0, written = 0] = numbers(readFileSync(files.io, 'utf8').replace(/^\w+: /gm, ''))
  const cpu = user + system
  return {
    wall,
    cpu,
    peak: (kilobytes * 1024) / 1e6,
    read: read / 1e6,
    written: written / 1e6,
    requests: registry?.requestsSince(log).length ?? 0,
    others: Math.max(0, busySeconds() - busy - cpu - ((registry?.cpu() ?? 0) - registryCpu)),
    output: text,
  }
}

/** Several commands one after another. */
export function sum(parts: readonly Measured[]): Measured {
  const total = (of: (part: Measured) => number) => parts.reduce((sum, part) => sum + of(part), 0)
  return {
    wall: total(({ wall }) => wall),
    cpu: total(({ cpu }) => cpu),
    peak: Math.max(...parts.map(({ peak }) => peak)),
    read: total(({ read }) => read),
    written: total(({ written }) => written),
    requests: total(({ requests }) => requests),
    others: total(({ others }) => others),
    output: parts.map(({ output }) => output).join(''),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number)
}

/** CPU that all processes of the machine have used. Linux counts in hundredths. */
function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , ...interrupts] = numbers(
    readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]
      ?.replace(/^cpu\s+/, '') ?? '',
  )
  const [irq = 0, soft = 0] = interrupts
  return (user + nice + system + irq + soft) / 100
}
