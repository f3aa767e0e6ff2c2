import { closeSync, constants, openSync, readSync } from 'node:fs'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import { encodeHeader, paddingOf, TAR_BLOCK, type TarEntry } from './header.ts'

/** Size of the blocks in which a tar is made, hashed and compressed. */
export const BLOCK_SIZE = 1 << 20

/**
 * Blocks that one tar is written into in turn. A compressor works on the last few while the next are filled, so a
 * block may be used again only after {@link RING} - 1 others.
 */
const RING = 8

/** How many further blocks may be asked for before a yielded one is overwritten. */
export const BLOCKS_VALID = RING - 1

/** A file's bytes: at hand, or to be read from this machine (path as latin1 bytes, as {@link Root.resolve} gives it). */
export type FileContent = Uint8Array | { readonly host: string; readonly size: number }

/** An entry with its bytes. */
export type LayerEntry =
  | Exclude<TarEntry, { type: 'file' | 'other' }>
  | (Omit<Extract<TarEntry, { type: 'file' }>, 'size'> & { readonly content: FileContent })

/**
 * The tar of some entries in blocks of {@link BLOCK_SIZE} (the last one shorter), two zero blocks at its end. Files are
 * read with synchronous calls straight into the block: for small files that is several times faster than any
 * asynchronous way.
 * @throws SlipwayError `OCI_FILE_CHANGED` when a file has not the size it was announced with, `OCI_FILE_UNREADABLE`.
 */
export function* tarBlocks(entries: Iterable<LayerEntry>): Generator<Buffer, void> {
  const ring = blockRing()
  for (const entry of entries) {
    if (entry.type !== 'file') {
      yield* ring.put(encodeHeader(entry))
      continue
    }
    const size = entry.content instanceof Uint8Array ? entry.content.length : entry.content.size
    yield* ring.put(encodeHeader({ ...entry, size }))
    if (size === 0) continue
    if (entry.content instanceof Uint8Array) yield* ring.put(entry.content)
    else yield* ring.read(entry.content)
    yield* ring.zeros(paddingOf(size))
  }
  yield* ring.zeros(2 * TAR_BLOCK)
  if (ring.used() > 0) yield ring.take()
}

function blockRing() {
  const ring: Buffer[] = []
  let turn = 0
  let block = next()
  let used = 0

  function next(): Buffer {
    const at = turn++ % RING
    ring[at] ??= Buffer.allocUnsafeSlow(BLOCK_SIZE)
    return ring[at]
  }

  function take(): Buffer {
    const full = used === BLOCK_SIZE ? block : block.subarray(0, used)
    block = next()
    used = 0
    return full
  }

  function* put(bytes: Uint8Array): Generator<Buffer, void> {
    for (let done = 0; done < bytes.length; ) {
      const part = Math.min(bytes.length - done, BLOCK_SIZE - used)
      block.set(done === 0 && part === bytes.length ? bytes : bytes.subarray(done, done + part), used)
      used += part
      done += part
      if (used === BLOCK_SIZE) yield take()
    }
  }

  function* zeros(count: number): Generator<Buffer, void> {
    for (let left = count; left > 0; ) {
      const part = Math.min(left, BLOCK_SIZE - used)
      block.fill(0, used, used + part)
      used += part
      left -= part
      if (used === BLOCK_SIZE) yield take()
    }
  }

  function* read(file: { readonly host: string; readonly size: number }): Generator<Buffer, void> {
    const fd = openFile(file.host)
    try {
      let left = file.size
      let ended = false
      while (left > 0) {
        // One byte more than is due, where there is room: getting less shows the end of the file without another call.
        const asked = Math.min(left + 1, BLOCK_SIZE - used)
        const got = readFrom(fd, block, used, asked, file.host)
        if (got === 0 || got > left) throw changed(file.host)
        ended = got < asked
        used += got
        left -= got
        if (used === BLOCK_SIZE) yield take()
      }
      if (!ended && readFrom(fd, Buffer.alloc(1), 0, 1, file.host) !== 0) throw changed(file.host)
    } finally {
      closeSync(fd)
    }
  }

  return { put, zeros, read, take, used: () => used }
}

function openFile(host: string): number {
  try {
    return openSync(hostBytes(host), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw unreadable(host, error)
  }
}

function readFrom(fd: number, into: Buffer, at: number, length: number, host: string): number {
  try {
    return readSync(fd, into, at, length, null)
  } catch (error) {
    throw unreadable(host, error)
  }
}

/** A path of this machine as a person reads it. */
export function displayPath(host: string): string {
  return hostBytes(host).toString('utf8')
}

function changed(host: string): SlipwayError {
  return new SlipwayError('OCI_FILE_CHANGED', `${displayPath(host)} changed while it was read`, {
    subject: displayPath(host),
    hint: 'something still writes to it; build again when nothing does',
    class: 'user',
  })
}

/** What a failed lstat, open or read of a layer's file means. */
export function unreadable(host: string, error: unknown): SlipwayError {
  const code = systemCode(error)
  // Gone, or become a link (O_NOFOLLOW), since the directory was listed.
  if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return changed(host)
  return new SlipwayError('OCI_FILE_UNREADABLE', `cannot read ${displayPath(host)}`, {
    subject: displayPath(host),
    hint: 'every file of a layer must be readable for the user that exports it',
    class: 'user',
    cause: error,
  })
}
