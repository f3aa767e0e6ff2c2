import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Duplex, Readable, Writable } from 'node:stream'
import { getSystemErrorName } from 'node:util'
import type { OnOutput } from '../../core/runner.ts'
import { ARGUMENTS_DESCRIPTOR, CHANNEL_DESCRIPTOR, type Driver, type Plan, type Step } from './driver.ts'

/** What the helper answers (native/src/sandbox.h). */
export type Answer =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'failed'; readonly error: string; readonly step: string; readonly operand: string }
  /** It was ended, or never came to be: what was said on stderr last. */
  | { readonly kind: 'none'; readonly message: string }

export interface SandboxProcess {
  /** Settles once nothing of the sandbox runs any more. */
  readonly answer: Promise<Answer>
  /** Sends a signal to the program: an interrupt to all of its group, as a terminal does. */
  signal(name: NodeJS.Signals): void
  /** Ends everything at once. */
  kill(): void
}

/** `inherit`: the program has this process's own input and outputs. */
export type Output = OnOutput | 'inherit'

const MESSAGE_SIZE = 4096
/** Only a kernel that is stuck takes that long to end a namespace. */
const KILL_AFTER_MS = 5000

/**
 * Starts a driver's program and hands the steps to the helper. Nothing secret is in an argument or in the environment
 * of a program outside: both are there for others on the machine to see, and the loader outside would obey the latter.
 */
export function startProcess(
  driver: Driver,
  plan: Plan,
  helper: number,
  steps: readonly Step[],
  output: Output,
): SandboxProcess {
  const inherit = output === 'inherit'
  const hidden = driver.hiddenArgs(plan)
  const child = spawn(driver.program(plan) ?? '', driver.args, {
    // The helper is the sandbox's first process, and is seen there under this name.
    argv0: 'sandbox',
    cwd: '/',
    env: {},
    // A terminal's Ctrl-C is this process's to pass on: otherwise it would end the sandbox under its program.
    detached: true,
    stdio: [
      inherit ? 'inherit' : 'ignore',
      inherit ? 'inherit' : 'pipe',
      inherit ? 'inherit' : 'pipe',
      'pipe',
      helper,
      hidden.length > 0 ? 'pipe' : 'ignore',
    ],
  })
  const channel = child.stdio[CHANNEL_DESCRIPTOR] as Duplex
  const message = passOutput(child, output)
  const answer = receiveAnswer(child, channel, message)
  if (hidden.length > 0)
    sendAll((child.stdio as readonly unknown[])[ARGUMENTS_DESCRIPTOR] as Writable, words(hidden))
  const request = words([...driver.steps(plan), ...steps].flat())
  const length = Buffer.alloc(4)
  length.writeUInt32LE(request.length)
  ignoreErrors(channel).write(Buffer.concat([length, request]))
  return {
    answer,
    signal: (name) => void channel.write(Buffer.from([constants.signals[name]])),
    kill: () => {
      channel.destroy()
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref()
      child.once('exit', () => clearTimeout(timer))
    },
  }
}

/** NUL-terminated, as latin1: names of files are that, and other text was made so by {@link text}. */
function words(list: readonly string[]): Buffer {
  return Buffer.from(list.map((word) => `${word}\0`).join(''), 'latin1')
}

/** Text as UTF-8, in the form that {@link words} expects. */
export function text(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1')
}

function sendAll(stream: Writable, bytes: Buffer): void {
  ignoreErrors(stream).end(bytes)
}

/** The other side may be gone already; that shows in the missing answer. */
function ignoreErrors<T extends Duplex | Writable>(stream: T): T {
  stream.on('error', () => {})
  return stream
}

/** Passes chunks on as they come; the result gives the end of what stood on stderr. */
function passOutput(child: ChildProcess, output: Output): () => string {
  let tail = Buffer.alloc(0)
  if (output === 'inherit') return () => ''
  const { stdout, stderr } = child
  stdout?.on('data', (chunk: Buffer) => output(chunk, 'stdout'))
  stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-MESSAGE_SIZE)
    output(chunk, 'stderr')
  })
  for (const stream of [stdout, stderr] as (Readable | null)[]) stream?.on('error', () => {})
  return () => tail.toString('utf8').trim()
}

async function receiveAnswer(child: ChildProcess, channel: Duplex, message: () => string): Promise<Answer> {
  const chunks: Buffer[] = []
  channel.on('data', (chunk: Buffer) => chunks.push(chunk))
  // `close` comes after the end of the process and of all its streams.
  const error = await new Promise<string | undefined>((resolve) => {
    child.once('error', (cause) => resolve(cause.message))
    child.once('close', () => resolve(undefined))
  })
  const [kind, number, step, operand] = Buffer.concat(chunks).toString('latin1').split('\0')
  switch (kind) {
    case 'exited':
      return { kind, code: Number(number) }
    case 'signalled':
      return { kind, signal: signalName(Number(number)) }
    case 'failed':
      return { kind, error: getSystemErrorName(-Number(number)), step: step ?? '', operand: operand ?? '' }
    default:
      return { kind: 'none', message: error ?? message() }
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0] ?? `signal ${number}`
}
