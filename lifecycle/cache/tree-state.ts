import { createHash, type Hash } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  statfsSync,
} from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { ContainerPath } from '../../core/container-path.ts'
import { systemCode } from '../../core/error.ts'
import { hostBytes, type Root } from '../../core/root.ts'

/**
 * What a directory tree looked like, told without reading a file, as git's index tells it: an equal identity later
 * means that nothing in the tree was touched in between. It rests on ctime, which no program can set: writing, a new
 * mode, a new hard link, a rename and a time set back all move it.
 */
export interface TreeState {
  /** Sum over names, modes and sizes: what an unpacked layer has in common with the tree that it was made of. */
  readonly shape: string
  /** Sum over those and device, inode, mtime and ctime of everything but directories, whose names and mode say all. */
  readonly identity: string
  /**
   * The file system's clock, in nanoseconds, when the tree was looked at: later than any ctime in it. Without that a
   * change in the same tick of the clock would not show (git's "racy" entries).
   */
  readonly time: bigint
}

/** Kernel file systems whose inodes are stable and whose ctime is their own: ext, XFS, Btrfs, tmpfs, F2FS, bcachefs, ZFS, overlay. */
const TRUSTED = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0xca451a4e, 0x2fc12fc1, 0x794c7630,
])

/** How often the clock is asked, a millisecond after another: longer than a tick of any kernel's clock (10 ms). */
const PATIENCE = 40
/** Something that is new at every look is being written to. */
const LOOKS = 3
/** How far the clock of a file system may run behind Date.now() or before it, which leaves out parts of a millisecond. */
const CLOCK_GRAIN = 20_000_000n

/**
 * Looks at a tree that nobody writes to. Where something in it is as new as the clock of its file system, the clock must
 * go on first, a few milliseconds. Undefined where nothing can be said for sure: an untrusted file system, another one
 * mounted inside, devices and pipes, a clock that went back.
 */
export async function settledState(root: Root, path: ContainerPath): Promise<TreeState | undefined> {
  const top = root.resolve(path, 'keep')
  try {
    let time: bigint | undefined = fileSystemTime(top)
    for (let looks = 0; looks < LOOKS && time !== undefined; looks++) {
      const seen = look(top)
      if (seen === undefined) return undefined
      if (seen.newest < time) return { shape: seen.shape, identity: seen.identity, time }
      time = await laterThan(seen.newest, top)
    }
    return undefined
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}

/** The clock of a file system once it has passed a time; undefined where that time lies in the future. */
async function laterThan(newest: bigint, directory: string): Promise<bigint | undefined> {
  for (let asked = 0; asked < PATIENCE; asked++) {
    const time = fileSystemTime(directory)
    if (time > newest) return time
    await wait(1)
  }
  return undefined
}

/** Whether nothing was touched between two looks at a tree. A clock that went back makes every time doubtful. */
export function isSameState(before: TreeState, now: TreeState): boolean {
  return now.time >= before.time && now.identity === before.identity
}

/** Whether a tree is still in the state that it was in. */
export function isUntouched(root: Root, path: ContainerPath, state: TreeState): boolean {
  if (BigInt(Date.now()) * 1_000_000n + CLOCK_GRAIN < state.time) return false
  try {
    return look(root.resolve(path, 'keep'))?.identity === state.identity
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return false
  }
}

/**
 * What the file system would give a file that changed now: that is what happens to the directory, whose times say
 * nothing. Where it is another user's, or not to be written to, a time that the kernel's clock has passed for sure, whose
 * ticks the times of files are.
 */
function fileSystemTime(directory: string): bigint {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  const fd = openSync(hostBytes(directory), flags)
  try {
    const { atime, mtime } = fstatSync(fd)
    futimesSync(fd, atime, mtime)
    return fstatSync(fd, { bigint: true }).ctimeNs
  } catch (error) {
    if (!['EPERM', 'EACCES', 'EROFS'].includes(systemCode(error) ?? '')) throw error
    return BigInt(Date.now()) * 1_000_000n - CLOCK_GRAIN
  } finally {
    closeSync(fd)
  }
}

interface Seen {
  readonly shape: string
  readonly identity: string
  /** Newest ctime in the tree. */
  readonly newest: bigint
}

function look(top: string): Seen | undefined {
  const device = lstatSync(hostBytes(top), { bigint: true }).dev
  if (!TRUSTED.has(statfsSync(hostBytes(top)).type)) return undefined
  const shape = createHash('sha256')
  const identity = createHash('sha256')
  let newest = 0n
  const pending = ['']
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const stats = lstatSync(hostBytes(top + at), { bigint: true })
    if (stats.dev !== device) return undefined
    if (stats.isDirectory()) {
      const names = readdirSync(hostBytes(top + at), 'latin1').sort()
      for (let index = names.length - 1; index >= 0; index--) pending.push(`${at}/${names[index]}`)
      add(shape, identity, at, stats, 0n, '')
    } else if (stats.isFile() || stats.isSymbolicLink()) {
      if (stats.ctimeNs > newest) newest = stats.ctimeNs
      add(shape, identity, at, stats, stats.size, `${stats.mtimeNs} ${stats.ctimeNs}`)
    } else return undefined
  }
  return { shape: shape.digest('hex'), identity: identity.digest('hex'), newest }
}

/** Names hold every byte but NUL, so the fields cannot run into each other. */
function add(
  shape: Hash,
  identity: Hash,
  name: string,
  { mode, dev, ino }: BigIntStats,
  size: bigint,
  times: string,
): void {
  const entry = `${name}\0${mode} ${size}`
  shape.update(`${entry}\0`, 'latin1')
  identity.update(`${entry} ${dev} ${ino} ${times}\0`, 'latin1')
}
