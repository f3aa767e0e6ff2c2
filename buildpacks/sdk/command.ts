import { spawn } from 'node:child_process'
import { SlipwayError, systemCode } from '../../core/error.ts'
import type { Log } from './log.ts'

export interface RunOptions {
  readonly cwd: string
  /** The whole environment of the program; undefined members are left out. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** `live` (default): into the log as it comes. `captured`: stdout is only given back. */
  readonly output?: 'live' | 'captured'
  /** Which lines of the live output are shown; asked once for each, in order. */
  readonly shows?: (line: string) => boolean
}

export interface CommandResult {
  /** Exit code; 128 and the signal's number do not stand here, see `signal`. */
  readonly code: number | undefined
  readonly signal: string | undefined
  /** Whether it ended with 0. */
  readonly ok: boolean
  /** The end of what it wrote to stdout, and to both: up to 64 KiB each. */
  readonly stdout: string
  readonly tail: string
}

export type Run = (program: string, args: readonly string[], options: RunOptions) => Promise<CommandResult>

const TAIL = 64 * 1024

/**
 * Runs a program to its end, without a shell and without standard input. How it ended is data: the caller says what it means.
 * @throws SlipwayError `BUILDPACK_COMMAND_MISSING`, `BUILDPACK_COMMAND_FAILED` when it could not be started.
 */
export function runner(log: Log): Run {
  return (program, args, { cwd, env, output = 'live', shows }) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const [stdout, both] = [tailBuffer(), tailBuffer()]
      const show = (chunk: Buffer) => {
        if (output === 'live') log.output(chunk)
      }
      const filters = [child.stdout, child.stderr].map((stream) => {
        const lines = shows === undefined ? { add: show, end: () => undefined } : lineFilter(shows, show)
        stream.on('data', (chunk: Buffer) => {
          if (stream === child.stdout) stdout.add(chunk)
          both.add(chunk)
          lines.add(chunk)
        })
        return lines
      })
      child.on('error', (cause) => reject(notStarted(program, cause)))
      child.on('close', (code, signal) => {
        for (const lines of filters) lines.end()
        resolve({
          code: code ?? undefined,
          signal: signal ?? undefined,
          ok: code === 0,
          stdout: stdout.text(),
          tail: both.text(),
        })
      })
    })
}

/** Hands on whole lines that are to be shown. */
function lineFilter(shows: (line: string) => boolean, show: (chunk: Buffer) => void) {
  let held = Buffer.alloc(0)
  const emit = (line: Buffer) => {
    if (line.length > 0 && shows(line.toString('utf8').replace(/\n$/, ''))) show(line)
  }
  return {
    add(chunk: Buffer) {
      held = Buffer.concat([held, chunk])
      for (let end = held.indexOf(0x0a); end >= 0; end = held.indexOf(0x0a)) {
        emit(held.subarray(0, end + 1))
        held = held.subarray(end + 1)
      }
    },
    end: () => emit(held),
  }
}

function notStarted(program: string, cause: Error): SlipwayError {
  const missing = systemCode(cause) === 'ENOENT'
  return new SlipwayError(
    missing ? 'BUILDPACK_COMMAND_MISSING' : 'BUILDPACK_COMMAND_FAILED',
    missing ? `there is no program ${program}` : `${program} could not be started: ${cause.message}`,
    { subject: program, class: 'buildpack', cause },
  )
}

function tailBuffer() {
  let chunks: Buffer[] = []
  let size = 0
  return {
    add(chunk: Buffer) {
      chunks.push(chunk)
      size += chunk.length
      if (size > 4 * TAIL) {
        chunks = [Buffer.concat(chunks).subarray(-TAIL)]
        size = TAIL
      }
    },
    text: () => Buffer.concat(chunks).subarray(-TAIL).toString('utf8'),
  }
}
