import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  openSync,
  readdirSync,
} from 'node:fs'
import { systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import type { Owner } from './driver.ts'

/**
 * The unprivileged user of root's sandboxes. No distribution gives this number to anyone: systemd's list of ranges
 * leaves 60706 to 61183 unused, and it is low enough to exist inside a rootless container too.
 */
const UNPRIVILEGED = 61000

/**
 * Who owns on this machine what programs in a sandbox write, and must own what they are to write to: an ordinary user
 * himself; for root an unprivileged one, because buildpacks' code never runs as the machine's root.
 */
export function hostOwner(): Owner {
  const uid = process.geteuid?.() ?? 0
  return uid === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : { uid, gid: process.getegid?.() ?? uid }
}

/**
 * Gives a directory and all below it to the owner of sandboxes, so that a build can write there. Does nothing for an
 * ordinary user, to whom everything belongs already. Links are given away, not followed.
 *
 * Another program of the same build may run meanwhile and put a link where a directory was; so every step goes through
 * the open directory itself, never through a path that could lead elsewhere by then.
 */
export function handOver(directory: string): void {
  if (process.geteuid?.() !== 0) return
  const owner = hostOwner()
  const fd = openSync(hostBytes(directory), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const { uid, gid } = fstatSync(fd)
    if (uid !== owner.uid || gid !== owner.gid) fchownSync(fd, owner.uid, owner.gid)
    giveContents(fd, owner)
  } finally {
    closeSync(fd)
  }
}

function giveContents(fd: number, owner: Owner): void {
  for (const name of readdirSync(`/proc/self/fd/${fd}`, 'latin1')) {
    try {
      give(hostBytes(`/proc/self/fd/${fd}/${name}`), owner)
    } catch (error) {
      // A running program may take away what it made; a directory that is a link by now is ELOOP or ENOTDIR.
      if (!['ENOENT', 'ELOOP', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error
    }
  }
}

function give(path: Buffer, owner: Owner): void {
  const { uid, gid, mode } = lstatSync(path)
  if (uid !== owner.uid || gid !== owner.gid) lchownSync(path, owner.uid, owner.gid)
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) return
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    giveContents(fd, owner)
  } finally {
    closeSync(fd)
  }
}
