import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import { SlipwayError, systemCode } from '../core/error.ts'
import type { Compression } from './layer-source.ts'
import { zstdFrames } from './zstd-frames.ts'

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface DecompressOptions {
  /** Bytes of output after which the stream ends with `OCI_LAYER_TOO_LARGE`; 64 GiB when absent. */
  readonly limit?: number
  /** Named in errors. */
  readonly subject?: string
}

const DEFAULT_LIMIT = 64 * 2 ** 30
/** Node's default of 16 KiB halves the speed. */
const CHUNK = 1 << 20

/**
 * Undoes gzip or zstd, recognised by the first bytes as container runtimes do (media types lie: Docker's say gzip for
 * plain tars too). Anything else passes through. Several gzip members or zstd frames are one stream.
 * @throws SlipwayError `OCI_LAYER_CORRUPT` (also for an end in the middle), `OCI_LAYER_TOO_LARGE`.
 */
export async function* decompress(
  chunks: Chunks,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const limit = options.limit ?? DEFAULT_LIMIT
  let size = 0
  for await (const chunk of decoded(chunks, options.subject)) {
    size += chunk.length
    if (size > limit) {
      throw new SlipwayError(
        'OCI_LAYER_TOO_LARGE',
        `more than ${limit} bytes come out of a compressed layer`,
        {
          ...subjectOf(options.subject),
          class: 'infrastructure',
        },
      )
    }
    yield chunk
  }
}

async function* decoded(chunks: Chunks, subject: string | undefined): AsyncGenerator<Uint8Array, void> {
  const [head, all] = await peek(chunks)
  const kind = compressionOf(head)
  if (kind === 'none') {
    yield* all
    return
  }
  const decoder =
    kind === 'gzip'
      ? zlib.createGunzip({ chunkSize: CHUNK })
      : zlib.createZstdDecompress({ chunkSize: CHUNK })
  const pumped = pipeline(Readable.from(kind === 'gzip' ? all : zstdFrames(all)), decoder)
  // Reported by the iteration below, which the pipeline ends with the same error.
  pumped.catch(() => {})
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array
    await pumped
  } catch (error) {
    throw isZlibError(error) ? corrupt(error, subject) : error
  }
}

/** How a layer is compressed, by its first bytes. */
export function compressionOf(head: Uint8Array): Compression['kind'] {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  const magic = head.length >= MAGIC_LENGTH ? Buffer.from(head).readUInt32LE(0) : 0
  // A skippable frame may stand first.
  return magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5 ? 'zstd' : 'none'
}

function isZlibError(error: unknown): boolean {
  const code = systemCode(error) ?? ''
  return code.startsWith('Z_') || code.startsWith('ZSTD_') || code.startsWith('ERR_ZLIB')
}

function corrupt(cause: unknown, subject: string | undefined): SlipwayError {
  return new SlipwayError('OCI_LAYER_CORRUPT', 'a compressed layer cannot be unpacked', {
    ...subjectOf(subject),
    hint: 'push the image again, or remove the blob from the cache',
    class: 'infrastructure',
    cause,
  })
}

function subjectOf(subject: string | undefined): { readonly subject?: string } {
  return subject === undefined ? {} : { subject }
}

const MAGIC_LENGTH = 4

/** The first bytes of a stream, and the whole stream again. */
async function peek(chunks: Chunks): Promise<[head: Uint8Array, all: AsyncIterable<Uint8Array>]> {
  const iterator = iterate(chunks)
  const first: Uint8Array[] = []
  let length = 0
  while (length < MAGIC_LENGTH) {
    const next = await iterator.next()
    if (next.done === true) break
    first.push(Buffer.from(next.value))
    length += next.value.length
  }
  async function* all() {
    try {
      yield* first
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return [Buffer.concat(first), all()]
}

function iterate(chunks: Chunks): AsyncIterator<Uint8Array> {
  if (Symbol.asyncIterator in chunks) return chunks[Symbol.asyncIterator]()
  async function* wrapped() {
    yield* chunks as Iterable<Uint8Array>
  }
  return wrapped()
}
