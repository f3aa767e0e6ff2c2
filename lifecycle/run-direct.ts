import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, closeSync, constants, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { SlipwayError, systemCode } from '../core/error.ts'
import type { OnOutput, Runner, RunSpec, RunStatus } from '../core/runner.ts'
import { nameOfFile } from '../spec/names.ts'
import { childrenNow, endRun, killGroup, type Run, startTimeOf } from './run-direct/leftovers.ts'
import { closeOutputPipe, type OutputPipe, openOutputPipe } from './run-direct/output-pipe.ts'

/**
 * The runner inside a container: programs are started as children of this process, in a session of their own, and the
 * container is the sandbox. stdout and stderr come as one stream in their order, as the reference merges them.
 */
export interface DirectRunner extends Runner {
  /**
   * Kills what runs and lets nothing start any more, for the end of this process by a signal: what waits for a run gets
   * `RUNNER_STOPPED` once nothing of it is left.
   * @returns whether anything ran
   */
  stop(): boolean
}

/** @param baseEnvironment the environment of the build image, which inside a container is that of this process. */
export function directRunner(baseEnvironment: Readonly<Record<string, string>>): DirectRunner {
  const active = new Set<number>()
  let isStopped = false
  const refuseStopped = () => {
    if (isStopped) throw stopped()
  }

  async function run(spec: RunSpec, onOutput: OnOutput): Promise<RunStatus> {
    refuseStopped()
    const earlierChildren = childrenNow()
    const pipe = openOutputPipe(baseEnvironment.PATH)
    const { child, pid } = await start(spec, pipe)
    active.add(pid)
    const current: Run = { pid, startTime: startTimeOf(pid), mark: markOf(spec), pipe, earlierChildren }
    const outputs = readOutputs(child, pipe, onOutput)
    try {
      const status = await ended(child, pid, spec.timeout)
      refuseStopped()
      return status
    } finally {
      active.delete(pid)
      await endRun(current, () => active.size === 0)
      await drained(outputs)
      if (pipe !== undefined) closeSync(pipe.held)
    }
  }

  return {
    baseEnvironment,
    run,
    stop: () => {
      isStopped = true
      for (const pid of active) killGroup(pid)
      return active.size > 0
    },
  }
}

function stopped(): SlipwayError {
  return new SlipwayError('RUNNER_STOPPED', 'interrupted', { class: 'infrastructure' })
}

async function start(
  spec: RunSpec,
  pipe: OutputPipe | undefined,
): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const program = nameOfFile(spec.program)
  const cwd = nameOfFile(spec.cwd)
  // Loaded here, and without a turn of the event loop: a phase that starts no program does not pay for it.
  const { spawn } = process.getBuiltinModule('node:child_process')
  // The buildpack API fixes the umask of its programs; a child gets it from its parent.
  const umask = process.umask(0o022)
  try {
    const child = spawn(program, spec.args, {
      cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', pipe?.writeEnd ?? 'pipe', pipe?.writeEnd ?? 'pipe'],
    })
    if (child.pid === undefined) {
      const [error] = await once(child, 'error')
      throw error
    }
    if (pipe !== undefined) closeSync(pipe.writeEnd)
    return { child, pid: child.pid }
  } catch (error) {
    if (pipe !== undefined) closeOutputPipe(pipe)
    throw notStarted(program, cwd, error)
  } finally {
    process.umask(umask)
  }
}

/** Says which of the several reasons for one system error it was; where it is known, the system's own words add nothing. */
function notStarted(program: string, cwd: string, cause: unknown): SlipwayError {
  const ofDirectory = (code: Uppercase<string>, message: string, hint: string) =>
    new SlipwayError(code, message, {
      subject: cwd,
      hint,
      class: 'usage',
    })
  if (!isDirectory(cwd))
    return ofDirectory(
      'RUNNER_DIRECTORY_MISSING',
      `cannot run ${program} in ${cwd}: no such directory`,
      'The app directory (-app, CNB_APP_DIR) has to be there.',
    )
  if (!isExecutable(cwd))
    return ofDirectory(
      'RUNNER_DIRECTORY_CLOSED',
      `cannot run ${program} in ${cwd}: permission denied`,
      'Check its owner and mode, and the user that this runs as.',
    )
  const ofProgram = (code: Uppercase<string>, message: string, hint: string) =>
    new SlipwayError(code, message, { subject: program, hint, class: 'buildpack' })
  switch (systemCode(cause)) {
    case 'ENOENT':
      return isExecutable(program)
        ? ofProgram(
            'RUNNER_INTERPRETER_MISSING',
            `cannot run ${program}: its interpreter is missing`,
            'Its first line, or its loader, names a file that the build image does not have.',
          )
        : ofProgram(
            'RUNNER_PROGRAM_MISSING',
            `cannot run ${program}: no such file`,
            'A buildpack has bin/detect and bin/build; only a composite one has neither.',
          )
    case 'EACCES':
      return ofProgram(
        'RUNNER_NOT_EXECUTABLE',
        `cannot run ${program}: permission denied`,
        'A program of a buildpack needs the executable bit.',
      )
    default:
      return new SlipwayError('RUNNER_START_FAILED', `cannot run ${program}`, {
        subject: program,
        class: 'buildpack',
        cause,
      })
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function readOutputs(child: ChildProcess, pipe: OutputPipe | undefined, onOutput: OnOutput): Readable[] {
  if (pipe !== undefined) {
    pipe.readEnd.on('data', (chunk) => onOutput(chunk, 'stdout'))
    return [pipe.readEnd]
  }
  child.stdout?.on('data', (chunk) => onOutput(chunk, 'stdout'))
  child.stderr?.on('data', (chunk) => onOutput(chunk, 'stderr'))
  return [child.stdout, child.stderr].filter((stream) => stream !== null)
}

async function ended(child: ChildProcess, pid: number, timeout: number | undefined): Promise<RunStatus> {
  let isLate = false
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => {
          isLate = true
          killGroup(pid)
        }, timeout)
  try {
    const [code, signal] = await once(child, 'exit')
    if (isLate && timeout !== undefined) return { kind: 'timed-out', after: timeout }
    return code === null ? { kind: 'signalled', signal: String(signal) } : { kind: 'exited', code }
  } finally {
    clearTimeout(timer)
  }
}

/** Waits for what is still in the pipes. Where something that could not be found holds one open, not for ever. */
async function drained(outputs: readonly Readable[]): Promise<void> {
  const ends = outputs
    .filter((stream) => !stream.readableEnded && !stream.destroyed)
    .map((stream) => once(stream, 'close'))
  const deadline = new AbortController()
  await Promise.race([
    Promise.all(ends),
    pause(DRAIN_MS, undefined, { signal: deadline.signal }).catch(() => {}),
  ])
  deadline.abort()
  for (const stream of outputs) stream.destroy()
}

const DRAIN_MS = 2000

/** Paths of plan files are made for one run, and are in its environment from Buildpack API 0.8 on. */
function markOf({ env }: RunSpec): string | undefined {
  const name = ['CNB_BUILD_PLAN_PATH', 'CNB_BP_PLAN_PATH'].find((key) => env[key] !== undefined)
  return name === undefined ? undefined : `${name}=${env[name]}`
}
