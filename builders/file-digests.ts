import { createHash } from 'node:crypto'
import { closeSync, lstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { writeFileAtomically } from '../core/atomic-file.ts'
import { hostBytes } from '../core/root.ts'

/** Digests of files of this machine, remembered while the files do not change: Node alone takes 70 ms to hash. */
export interface FileDigests {
  /** sha256, 64 hex digits. `path` is a latin1 path; links are not followed. */
  digestOf(path: string): string
  /** Writes down what was learned, where it was anything. */
  save(): void
}

interface Known {
  /** Size, mtime, ctime, inode. */
  readonly state: string
  readonly sha256: string
}

/** A file that changed less than this ago may change again without its time showing it (git's racy entries). */
const SETTLED_NANOSECONDS = 2_000_000_000n

/** Reads what is remembered in `memory` (a latin1 path); an unreadable memory is an empty one. */
export function fileDigests(memory: string, now: () => number = Date.now): FileDigests {
  const known = readMemory(memory)
  let changed = false
  return {
    digestOf(path) {
      const stats = lstatSync(hostBytes(path), { bigint: true })
      const state = [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino].join(' ')
      const remembered = known.get(path)
      if (remembered?.state === state) return remembered.sha256
      const sha256 = hashFile(path)
      const settled = BigInt(now()) * 1_000_000n - SETTLED_NANOSECONDS
      if (stats.mtimeNs < settled && stats.ctimeNs < settled) {
        known.set(path, { state, sha256 })
        changed = true
      }
      return sha256
    },
    save() {
      if (!changed) return
      writeFileAtomically(memory, JSON.stringify(Object.fromEntries(known)))
      changed = false
    },
  }
}

function readMemory(memory: string): Map<string, Known> {
  try {
    const entries = Object.entries(
      JSON.parse(readFileSync(hostBytes(memory), 'utf8')) as Record<string, Known>,
    )
    return new Map(
      entries.filter(([, { state, sha256 }]) => typeof state === 'string' && /^[0-9a-f]{64}$/.test(sha256)),
    )
  } catch {
    return new Map()
  }
}

function hashFile(path: string): string {
  const hash = createHash('sha256')
  const fd = openSync(hostBytes(path), 'r')
  try {
    const buffer = Buffer.alloc(1024 * 1024)
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      hash.update(buffer.subarray(0, read))
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}
