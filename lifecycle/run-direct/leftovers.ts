import { readdirSync, readFileSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/**
 * Ending what a program has left running. Its process group is not enough: a daemon leaves group and session. Node can
 * not become a subreaper, so what is left is searched in /proc. A process belongs to a run when it began after it and
 * - is in the program's process group or session, or
 * - was started with the run's mark in its environment (the path of the plan file, made for this run alone), or
 * - holds the run's output pipe, or
 * - became a child of this process (which is what happens to orphans where this process is the container's first one,
 *   or where the starter made it a subreaper), as long as no other run could have started it.
 * What escapes all four, somewhere else than in a container's first process, is left to the container's end.
 */
export interface Run {
  /** The program's process id, which is also that of its group and session. */
  readonly pid: number
  /** Clock ticks since boot, from /proc; undefined without /proc. */
  readonly startTime: bigint | undefined
  /** `NAME=value` that nothing but this run has in its environment. */
  readonly mark: string | undefined
  readonly pipe: { readonly device: bigint; readonly inode: bigint } | undefined
  /** Children of this process that were there before the run. */
  readonly earlierChildren: ReadonlySet<number>
}

interface ProcessState {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly startTime: bigint
}

/** Kills the run's group and all that is found to belong to it, until nothing is found any more. */
export async function endRun(run: Run, isAlone: () => boolean): Promise<void> {
  killGroup(run.pid)
  for (let round = 0; round < ROUNDS; round++) {
    const left = allProcesses().filter((process) => belongsTo(process, run, isAlone()))
    if (left.length === 0) return
    for (const { pid } of left) kill(pid)
    await setTimeout(PAUSE_MS)
  }
}

const ROUNDS = 200
const PAUSE_MS = 5

/** Kills the process group of a program. */
export function killGroup(pid: number): void {
  kill(-pid)
}

/** When a process started, or undefined where that cannot be known. */
export function startTimeOf(pid: number): bigint | undefined {
  return stateOf(pid)?.startTime
}

/** The children that this process has now. */
export function childrenNow(): Set<number> {
  const own = process.pid
  return new Set(
    allProcesses()
      .filter(({ parent }) => parent === own)
      .map(({ pid }) => pid),
  )
}

function belongsTo(found: ProcessState, run: Run, isAlone: boolean): boolean {
  if (found.pid === process.pid || found.state === 'Z' || found.state === 'X') return false
  if (run.startTime === undefined || found.startTime < run.startTime) return false
  if (found.group === run.pid || found.session === run.pid) return true
  if (isAlone && found.parent === process.pid && !run.earlierChildren.has(found.pid)) return true
  return hasMark(found.pid, run.mark) || holdsPipe(found.pid, run.pipe)
}

function hasMark(pid: number, mark: string | undefined): boolean {
  if (mark === undefined) return false
  return quietly(() => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)) ?? false
}

function holdsPipe(pid: number, pipe: Run['pipe']): boolean {
  if (pipe === undefined) return false
  const names = quietly(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  return names.some((name) => {
    const state = quietly(() => statSync(`/proc/${pid}/fd/${name}`, { bigint: true }))
    return state?.ino === pipe.inode && state.dev === pipe.device
  })
}

function allProcesses(): ProcessState[] {
  const names = quietly(() => readdirSync('/proc')) ?? []
  return names.flatMap((name) => (/^\d+$/.test(name) ? (stateOf(Number(name)) ?? []) : []))
}

/** Reads /proc/<pid>/stat; the command in parentheses may hold anything, so fields are counted behind the last one. */
function stateOf(pid: number): ProcessState | undefined {
  const stat = quietly(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group, session] = fields ?? []
  const startTime = fields?.[19]
  if (state === undefined || startTime === undefined) return undefined
  return {
    pid,
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: BigInt(startTime),
  }
}

function kill(pid: number): void {
  quietly(() => process.kill(pid, 'SIGKILL'))
}

/** Processes come and go while one looks at them. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
