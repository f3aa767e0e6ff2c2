import { randomBytes } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { algorithm, type Digest, encoded, isDigest } from '../digest.ts'
import type { BlobSource, StoredBlob } from '../image.ts'
import { createMeter } from '../verify.ts'
import { orMissing } from './index-file.ts'
import {
  continued,
  findPartial,
  isMismatch,
  isResumable,
  partialPrefix,
  removeUnlessUseful,
} from './partial.ts'

/** The blobs of a layout: files named by their digest that never change. */
export interface Blobs {
  pathOf(digest: Digest): string
  /** Also tells a prune in another process that the blob is wanted: its age starts anew. */
  size(digest: Digest): number | undefined
  open(digest: Digest, size?: number): AsyncGenerator<Uint8Array, void>
  /** Goes on where an earlier download of the blob broke off. */
  put(source: BlobSource): Promise<StoredBlob>
  list(): readonly { readonly digest: Digest; readonly stats: Stats }[]
  /** Removes a blob that nobody wanted since `before`; false where somebody did. */
  removeUnwanted(digest: Digest, before: number): boolean
  /** Removes what ended processes left half-written. */
  removeLeftovers(before: number): void
}

const CHUNK = 1 << 20
/** A blob wanted within this time needs no new mark. */
const FRESH = 60_000

export function blobStore(directory: string): Blobs {
  const temporary = join(directory, '.slipway', 'tmp')
  const pathOf = (digest: Digest) => join(directory, 'blobs', algorithm(digest), encoded(digest))
  const newTemporary = (prefix = '') => join(temporary, `${prefix}${randomBytes(12).toString('hex')}`)

  function size(digest: Digest): number | undefined {
    const path = pathOf(digest)
    const stats = orMissing(() => statSync(path))
    if (stats === undefined || !stats.isFile()) return undefined
    if (Date.now() - stats.mtimeMs > FRESH && !touch(path)) return undefined
    return stats.size
  }

  async function put(source: BlobSource): Promise<StoredBlob> {
    if (source.digest !== undefined) {
      const known = size(source.digest)
      if (known !== undefined) return { digest: source.digest, size: known }
    }
    mkdirSync(temporary, { recursive: true })
    if (!isResumable(source)) return await write(source)
    const partial = findPartial(temporary, source.digest)
    if (partial === undefined) return await write(source)
    try {
      return await write(continued(source, partial))
    } catch (error) {
      if (!isMismatch(error)) throw error
      // What was left may be what is wrong.
      return await write(source)
    } finally {
      rmSync(partial, { force: true })
    }
  }

  async function write(source: BlobSource): Promise<StoredBlob> {
    const path = newTemporary(source.digest === undefined ? '' : partialPrefix(source.digest))
    try {
      const stored = await writeFile(path, source, directory)
      const target = pathOf(stored.digest)
      mkdirSync(dirname(target), { recursive: true })
      renameSync(path, target)
      return stored
    } catch (error) {
      removeUnlessUseful(path, source, error)
      throw error
    }
  }

  function list() {
    return ['sha256', 'sha512'].flatMap((kind) => {
      const folder = join(directory, 'blobs', kind)
      return (orMissing(() => readdirSync(folder)) ?? []).flatMap((name) => {
        const digest = `${kind}:${name}`
        const stats = isDigest(digest) ? orMissing(() => statSync(join(folder, name))) : undefined
        return isDigest(digest) && stats?.isFile() === true ? [{ digest, stats }] : []
      })
    })
  }

  function removeUnwanted(digest: Digest, before: number): boolean {
    const path = pathOf(digest)
    const aside = newTemporary()
    mkdirSync(temporary, { recursive: true })
    if (orMissing(() => renameSync(path, aside) ?? true) === undefined) return false
    // Out of everybody's sight now: a mark set just before the move is seen here, and the blob goes back.
    if (statSync(aside).mtimeMs >= before) {
      renameSync(aside, path)
      return false
    }
    rmSync(aside)
    return true
  }

  function removeLeftovers(before: number): void {
    for (const name of orMissing(() => readdirSync(temporary)) ?? []) {
      const path = join(temporary, name)
      const stats = orMissing(() => statSync(path))
      if (stats !== undefined && stats.mtimeMs < before) rmSync(path, { force: true })
    }
  }

  return {
    pathOf,
    size,
    open: (digest, expected) => readBlob(pathOf(digest), digest, expected),
    put,
    list,
    removeUnwanted,
    removeLeftovers,
  }
}

/** False where the file went away. A layout that may only be read stays as it is. */
function touch(path: string): boolean {
  const now = new Date()
  try {
    utimesSync(path, now, now)
    return true
  } catch (error) {
    return systemCode(error) !== 'ENOENT'
  }
}

async function writeFile(path: string, source: BlobSource, layout: string): Promise<StoredBlob> {
  const meter = createMeter(layout, source)
  const fd = openSync(path, 'wx', 0o644)
  try {
    for await (const chunk of source.open()) {
      meter.add(chunk)
      writeAll(fd, chunk, layout)
    }
  } finally {
    closeSync(fd)
  }
  return meter.finish()
}

function writeAll(fd: number, chunk: Uint8Array, layout: string): void {
  try {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done)
  } catch (cause) {
    const full = systemCode(cause) === 'ENOSPC' || systemCode(cause) === 'EDQUOT'
    throw new SlipwayError('OCI_LAYOUT_WRITE_FAILED', `cannot write to the image store ${layout}`, {
      subject: layout,
      hint: full ? 'the disk is full; free space and try again' : 'check the disk and the permissions',
      class: 'infrastructure',
      cause,
    })
  }
}

async function* readBlob(
  path: string,
  digest: Digest,
  size: number | undefined,
): AsyncGenerator<Uint8Array, void> {
  const file = await openFile(path, digest)
  const meter = createMeter(digest, size === undefined ? { digest } : { digest, size })
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(CHUNK), 0, CHUNK, null)
      if (bytesRead === 0) break
      const chunk = buffer.subarray(0, bytesRead)
      meter.add(chunk)
      yield chunk
    }
    meter.finish()
  } finally {
    await file.close()
  }
}

async function openFile(path: string, digest: Digest): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT' && systemCode(cause) !== 'ENOTDIR') throw cause
    throw new SlipwayError('OCI_BLOB_MISSING', `there is no blob ${digest}`, {
      subject: digest,
      hint: `it should be at ${path}`,
      class: 'infrastructure',
    })
  }
}
