import { writeSync } from 'node:fs'
import { errorChain, SlipwayError, systemCode } from '../../core/error.ts'
import { type Emit, eventStream, type Listener, type Phase } from '../../core/event.ts'
import { jsonErrorLine, jsonEventLine, jsonMessageLine } from '../log/json-lines.ts'
import { isLogged, type LogLevel, parseLogLevel } from '../log/level.ts'
import { referenceLog, type Say } from '../log/reference-log.ts'
import { Failure } from './failure.ts'
import type { Inputs } from './inputs.ts'

/** A command's whole output: everything goes to stdout, as the reference's does (cnb-spec C-8, AMB-4). */
export interface CommandLog {
  readonly emit: Emit
  readonly say: Say
  /** Tells why the command ends, and gives its exit code. */
  fail(error: unknown): number
}

export interface CommandLogOptions {
  /** The phase that the command is; several are told apart by their events. */
  readonly phase?: Phase | undefined
  readonly phaseHeadings?: boolean
  /** What else hears of the events. */
  readonly listeners?: readonly Listener[]
}

/**
 * @throws Failure for a log level or format that there is not (exit 1)
 */
export function commandLog(
  inputs: Inputs,
  { phase, phaseHeadings, listeners = [] }: CommandLogOptions = {},
): CommandLog {
  const level = levelOf(inputs.logLevel)
  switch (inputs.logFormat) {
    case 'text':
      return textLog(level, !inputs.noColor, phaseHeadings ?? false, listeners)
    case 'json':
      return jsonLog(level, listeners, phase)
    default:
      throw new Failure(
        'parse log format',
        new SlipwayError(
          'LIFECYCLE_LOG_FORMAT_INVALID',
          `unknown format ${JSON.stringify(inputs.logFormat)}`,
          {
            hint: 'Log formats are text and json.',
            class: 'usage',
          },
        ),
      )
  }
}

function levelOf(text: string): LogLevel {
  try {
    return parseLogLevel(text)
  } catch (error) {
    throw new Failure('parse log level', error)
  }
}

function textLog(
  level: LogLevel,
  color: boolean,
  phaseHeadings: boolean,
  listeners: readonly Listener[],
): CommandLog {
  const epoch = Date.now()
  const { listen, say } = referenceLog({ level, color, phaseHeadings, epoch, write: writeAll })
  return {
    emit: eventStream(listen, ...listeners),
    say,
    fail: (error) => {
      const failure = asFailure(error)
      say('error', failure.line)
      const { hint } = failure.error
      if (hint !== undefined) say('info', `What to try: ${hint}`)
      return failure.exitCode
    },
  }
}

function jsonLog(level: LogLevel, listeners: readonly Listener[], phase: Phase | undefined): CommandLog {
  let at = phase
  const epoch = Date.now()
  const put = (line: string) => writeAll(Buffer.from(line))
  return {
    emit: eventStream(
      (event) => {
        if (event.type === 'phase-started') at = event.phase
        const isQuiet =
          event.type === 'debug' || event.type === 'task-progress' || event.type === 'bytes-uploaded'
        if (!isQuiet || isLogged('debug', level)) put(jsonEventLine(event, epoch))
      },
      ...listeners,
    ),
    say: (of, text) => {
      if (isLogged(of, level)) put(jsonMessageLine(of, text, Date.now()))
    },
    fail: (error) => {
      const failure = asFailure(error)
      put(jsonErrorLine({ action: failure.action, phase: at, error: failure.error }, Date.now()))
      return failure.exitCode
    },
  }
}

/** What no command expected is a defect of ours: its stack helps more than its message. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const text =
    error instanceof Error && !(error instanceof SlipwayError)
      ? (error.stack ?? errorChain(error))
      : errorChain(error)
  const known =
    error instanceof SlipwayError ? error : new SlipwayError('LIFECYCLE_DEFECT', text, { cause: error })
  return new Failure('go on', known)
}

const STDOUT = 1
const PAUSE_MS = 2

/** Writes to stdout at once, so that nothing is lost when the process ends and its order with the children's is kept. */
function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STDOUT, bytes, at)
    } catch (error) {
      const code = systemCode(error)
      // Nobody reads any more; the build goes on, as its result does not depend on it.
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
      // Whoever has the other end made the pipe non-blocking: wait for room.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
    }
  }
}
