import { closeSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { SlipwayError } from '../../core/error.ts'
import type { XzPool } from './xz.ts'

/** A range of a file of this machine; the path may hold latin1 bytes. */
export interface FileRange {
  readonly path: string
  readonly offset: number
  readonly size: number
}

export type ArchiveCompression = 'none' | 'gzip' | 'xz' | 'zstd'

/**
 * The decompressed bytes of a range of a file, in chunks that are valid only until the next one is asked for. gzip and
 * zstd use Node's own zlib, xz the pool's threads.
 * @throws SlipwayError `SOURCE_ARCHIVE_INVALID`, `SOURCE_ARCHIVE_TOO_LARGE`, and what {@link XzPool.decompress} throws.
 */
export async function* decompressRange(
  range: FileRange,
  compression: ArchiveCompression,
  pool: XzPool,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  if (compression === 'xz') {
    yield* pool.decompress(range, range.path, maxBytes)
    return
  }
  let total = 0
  for await (const chunk of decoded(range, compression)) {
    total += chunk.length
    if (total > maxBytes) {
      throw new SlipwayError('SOURCE_ARCHIVE_TOO_LARGE', `unpacks to more than ${maxBytes} bytes`, {
        subject: range.path,
        class: 'infrastructure',
      })
    }
    yield chunk
  }
}

async function* decoded(range: FileRange, compression: ArchiveCompression): AsyncGenerator<Uint8Array> {
  if (compression === 'none') {
    yield* readRange(range)
    return
  }
  const decoder = compression === 'gzip' ? createGunzip() : createZstdDecompress()
  const source = Readable.from(readRange(range), { objectMode: false })
  source.on('error', (error) => decoder.destroy(error)).pipe(decoder)
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array
  } catch (error) {
    if (error instanceof SlipwayError) throw error
    throw new SlipwayError('SOURCE_ARCHIVE_INVALID', `cannot decompress ${compression}`, {
      subject: range.path,
      hint: 'the file is damaged; remove it and fetch it again',
      cause: error,
      class: 'infrastructure',
    })
  } finally {
    source.destroy()
    decoder.destroy()
  }
}

/** The bytes of a range of a file, in chunks of up to 256 KiB. */
export function* readRange(range: FileRange): Generator<Uint8Array> {
  const fd = openSync(Buffer.from(range.path, 'latin1'), 'r')
  try {
    const end = range.offset + range.size
    for (let at = range.offset; at < end; ) {
      const buffer = new Uint8Array(Math.min(256 * 1024, end - at))
      const read = readSync(fd, buffer, 0, buffer.length, at)
      if (read === 0) return
      at += read
      yield buffer.subarray(0, read)
    }
  } finally {
    closeSync(fd)
  }
}
