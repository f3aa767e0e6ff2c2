import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from '../../core/error.ts'

/**
 * A file that says "somebody is at it". It is made exclusively, its time of change is set anew while its holder lives, and
 * it is removed at the end. Whoever waits compares no clocks, which differ between the machines that share a volume and
 * jump: a lease is over when it was seen unchanged for the time that the waiter itself has slept.
 */

/** Milliseconds. */
export interface LeaseTimes {
  /** Between two signs of life of a holder. */
  readonly beat: number
  /** A lease without a sign of life for so long is over. Some beats, for a busy process is late now and then. */
  readonly expiry: number
  /** Nobody waits longer for one holder than this, dead or alive. */
  readonly patience: number
}

/** A lease that is held. Disposing of it lets the next one in; one that has been taken over meanwhile stays theirs. */
export type HeldLease = Disposable

/** What came of waiting: nobody holds the lease any more; or it cannot be had, and waiting on is of no use. */
export type Waited = 'free' | 'hopeless'

const FIRST_PAUSE = 20
const LONGEST_PAUSE = 250

/**
 * Takes a lease where nobody holds it; `'held'` where somebody does, `'unavailable'` where none can be had (a file system
 * that is full or read-only, a folder of another user).
 * @param note what it is about, for people who look into the folder
 */
export function takeLease(
  path: string,
  note: string,
  { beat }: LeaseTimes,
): HeldLease | 'held' | 'unavailable' {
  let fd: number
  try {
    fd = createIn(path)
  } catch (error) {
    return systemCode(error) === 'EEXIST' ? 'held' : 'unavailable'
  }
  // By the descriptor: after a take-over the name is another's.
  const release = () => {
    attempt(() => {
      if (fstatSync(fd).ino === statSync(path).ino) rmSync(path)
    })
    attempt(() => closeSync(fd))
  }
  try {
    writeSync(fd, `${randomBytes(8).toString('hex')} ${note}\n`)
  } catch {
    release()
    return 'unavailable'
  }
  const timer = setInterval(() => attempt(() => futimesSync(fd, new Date(), new Date())), beat)
  timer.unref()
  const end = endOnce(() => {
    clearInterval(timer)
    release()
  })
  return { [Symbol.dispose]: end }
}

/** Waits until nobody holds a lease, and does away with one whose holder is dead. */
export async function leaseFree(path: string, times: LeaseTimes): Promise<Waited> {
  try {
    return await watch(path, times)
  } catch (error) {
    // It may be neither looked at nor moved: another user's, or nothing that one of us has made.
    if (systemCode(error) === undefined) throw error
    return 'hopeless'
  }
}

async function watch(path: string, { expiry, patience }: LeaseTimes): Promise<Waited> {
  let seen = signOfLife(path)
  let silent = 0
  let waited = 0
  for (let pause = FIRST_PAUSE; seen !== undefined; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    if (waited >= patience) return 'hopeless'
    if (silent >= expiry) {
      removeDead(path, seen)
      return 'free'
    }
    await sleep(pause)
    waited += pause
    const now = signOfLife(path)
    // The next one has it: what it is about may be done.
    if (now !== undefined && now.holder !== seen.holder) return 'free'
    silent = now?.time === seen.time ? silent + pause : 0
    seen = now
  }
  return 'free'
}

interface SignOfLife {
  readonly holder: string
  readonly time: bigint
}

/** Undefined where there is no lease. Opened rather than looked up: only this makes a network file system ask its server. */
function signOfLife(path: string): SignOfLife | undefined {
  const fd = ifThere(() => openSync(path, 'r'))
  if (fd === undefined) return undefined
  try {
    return { holder: readFileSync(fd, 'latin1'), time: fstatSync(fd, { bigint: true }).mtimeNs }
  } finally {
    closeSync(fd)
  }
}

/** Of several who find a lease dead one moves it aside. Who comes late and moves the next holder's puts it back. */
function removeDead(path: string, dead: SignOfLife): void {
  const aside = `${path}.${randomBytes(8).toString('hex')}`
  if (ifThere(() => renameSync(path, aside) ?? true) === undefined) return
  const moved = signOfLife(aside)
  if (moved?.holder !== dead.holder || moved.time !== dead.time) attempt(() => linkSync(aside, path))
  attempt(() => rmSync(aside))
}

function ifThere<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function createIn(path: string): number {
  try {
    return openSync(path, 'wx', 0o644)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'wx', 0o644)
  }
}

/** What is still held when this process exits is given back, or others would wait until it expires. */
const held = new Set<() => void>()

function endHeld(): void {
  for (const end of held) end()
}

function endOnce(work: () => void): () => void {
  const end = () => {
    if (!held.delete(end)) return
    if (held.size === 0) process.off('exit', endHeld)
    work()
  }
  if (held.size === 0) process.on('exit', endHeld)
  held.add(end)
  return end
}

/** A lease only saves work: whatever fails about it costs no more than that. */
function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}
