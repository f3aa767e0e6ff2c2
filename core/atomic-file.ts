import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file so that a reader sees the old content or the new, never a part: a temporary file beside it, fsync, rename.
 * Parents are made. The path may hold latin1 bytes.
 */
export function writeFileAtomically(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode?: number; readonly sync?: boolean } = {},
): void {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data
  mkdirSync(Buffer.from(dirname(path), 'latin1'), { recursive: true })
  const temporary = Buffer.from(`${path}.${uniqueName()}.tmp`, 'latin1')
  try {
    const fd = openSync(temporary, 'wx', options.mode ?? 0o644)
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written)
      if (options.sync ?? false) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, Buffer.from(path, 'latin1'))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Whether a file is what a killed process left of {@link writeFileAtomically} of another one beside it. */
export function isUnfinished(name: string, of: string): boolean {
  return name.startsWith(`${of}.`) && /^[0-9a-z]+(?:-[0-9a-z]+){3}\.tmp$/.test(name.slice(of.length + 1))
}

let names = 0

/**
 * A name that no other file of that folder has: of another process of this machine (its id and the time), of another
 * machine or container on the same volume (chance), of this process (the count). It is no secret, and `wx` refuses a file
 * that is there all the same: node:crypto would cost the start of a process 4 ms for it.
 */
function uniqueName(): string {
  const parts = [process.pid, Date.now(), Math.floor(Math.random() * 2 ** 52), ++names]
  return parts.map((part) => part.toString(36)).join('-')
}
