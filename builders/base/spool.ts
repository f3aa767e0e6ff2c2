import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'

/** Where a file's bytes stand in the spool. */
export interface SpoolRange {
  readonly offset: number
  readonly size: number
}

/**
 * One unnamed file that holds the bytes of all files of all packages until the layers are written. Unpacking into it
 * instead of a directory means that no name of a package ever becomes a path of this machine, that several packages
 * can be unpacked at once, and that layers can be sorted.
 */
export interface Spool extends Disposable {
  /** A place for `size` bytes, to be filled by `write`; several may be open at once. */
  reserve(size: number): SpoolRange
  write(range: SpoolRange, at: number, bytes: Uint8Array): void
  /** Reads into `target` from `range.offset + at`. */
  read(range: SpoolRange, at: number, target: Uint8Array): void
  /** The whole range at once: for small files. */
  bytes(range: SpoolRange): Uint8Array
}

/** Makes the spool at a path (latin1) and unlinks it at once: whatever happens, nothing is left behind. */
export function openSpool(path: string): Spool {
  const fd = openSync(hostBytes(path), 'wx+', 0o600)
  rmSync(hostBytes(path))
  let end = 0
  const spool: Spool = {
    reserve(size) {
      const range = { offset: end, size }
      end += size
      return range
    },
    write(range, at, bytes) {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(fd, bytes, done, bytes.length - done, range.offset + at + done)
      }
    },
    read(range, at, target) {
      for (let done = 0; done < target.length; ) {
        const read = readSync(fd, target, done, target.length - done, range.offset + at + done)
        if (read === 0) throw new SlipwayError('BUILDERS_SPOOL_SHORT', 'the unpacked packages end too early')
        done += read
      }
    },
    bytes(range) {
      const bytes = new Uint8Array(range.size)
      spool.read(range, 0, bytes)
      return bytes
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
  return spool
}
