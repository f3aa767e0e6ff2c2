import zlib from 'node:zlib'
import {
  type BlockCompressor,
  blockDeflater,
  frameCompressor,
  shrinks,
  storedBlock,
} from './block-compressor.ts'
import { MEDIA_TYPES } from './image.ts'
import type { Compression } from './layer-source.ts'
import { compressionLevel } from './parse-compression.ts'

/**
 * Compression of layers on libuv's thread pool, a few blocks in flight: the result depends on the bytes, the level and
 * the block size only, never on the number of cores or on how the input was cut into chunks.
 */

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/**
 * What is compressed for itself: a deflate block, a zstd frame (its own threads would truncate the output in Node). The
 * size of a tar's blocks, which are then used in place, and twice what zstd's first level looks back.
 */
const BLOCK = 1 << 20
/** The pool has four threads by default. */
const IN_FLIGHT = 4

/** Media type of a layer compressed like this, in OCI manifests. */
export function layerMediaType(compression: Compression): string {
  if (compression.kind === 'gzip') return MEDIA_TYPES.ociLayerGzip
  return compression.kind === 'zstd' ? MEDIA_TYPES.ociLayerZstd : MEDIA_TYPES.ociLayer
}

/**
 * Compresses a stream. Default: level 1 of either, gzip as the Go lifecycle has it. `blocksValid` is the source's promise
 * (see LayerSource): blocks that stay valid long enough are used in place, others are copied.
 * Yielded chunks are the caller's to keep.
 */
export function compress(
  chunks: Chunks,
  compression: Compression = { kind: 'gzip' },
  blocksValid = 0,
): AsyncGenerator<Uint8Array, void> {
  if (compression.kind === 'none') return copies(chunks)
  const level = compressionLevel(compression)
  const blocks = exactBlocks(chunks, BLOCK, blocksValid)
  return compression.kind === 'zstd' ? zstd(blocks, level) : gzip(blocks, level)
}

async function* copies(chunks: Chunks): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}

/** One gzip member: raw deflate blocks that each end on a byte boundary, then an empty last block. */
async function* gzip(blocks: AsyncIterable<Buffer>, level: number): AsyncGenerator<Uint8Array, void> {
  // No time, no name; 255: unknown system.
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level === 1 ? 4 : level === 9 ? 2 : 0, 0xff)
  let crc = 0
  let size = 0
  yield* inOrder(
    blocks,
    () => blockDeflater(level),
    async (block, deflater) => {
      crc = zlib.crc32(block, crc)
      size += block.length
      return shrinks(block) ? deflater.compress(block) : storedBlock(block)
    },
  )
  const trailer = Buffer.alloc(10)
  trailer[0] = 3
  trailer.writeUInt32LE(crc, 2)
  trailer.writeUInt32LE(size % 2 ** 32, 6)
  yield trailer
}

/** Frames one after another, at least one; zstd itself stores what does not shrink. */
async function* zstd(blocks: AsyncIterable<Buffer>, level: number): AsyncGenerator<Uint8Array, void> {
  const compressor = () => frameCompressor(level)
  let empty = true
  yield* inOrder(blocks, compressor, (block, frames) => {
    empty = false
    return frames.compress(block)
  })
  if (empty) yield zlib.zstdCompressSync('')
}

/** Starts a job per block, at most {@link IN_FLIGHT} at once, and yields their results in order. */
async function* inOrder(
  blocks: AsyncIterable<Buffer>,
  compressor: () => BlockCompressor,
  start: (block: Buffer, compressor: BlockCompressor) => Promise<Buffer>,
): AsyncGenerator<Buffer, void> {
  const compressors: BlockCompressor[] = []
  const jobs: Promise<Buffer>[] = []
  let turn = 0
  try {
    for await (const block of blocks) {
      // The one whose last result was taken longest ago, so it is free.
      const at = turn++ % IN_FLIGHT
      compressors[at] ??= compressor()
      const job = start(block, compressors[at])
      // Awaited below, unless an earlier one fails first.
      job.catch(() => {})
      jobs.push(job)
      if (jobs.length >= IN_FLIGHT) yield await (jobs.shift() as Promise<Buffer>)
    }
    for (const job of jobs) yield await job
  } finally {
    for (const used of compressors) used.close()
  }
}

/**
 * Cuts a stream into blocks of exactly `size` bytes (the last one shorter). A yielded block stays valid until
 * {@link IN_FLIGHT} further ones have been asked for.
 */
async function* exactBlocks(chunks: Chunks, size: number, blocksValid: number): AsyncGenerator<Buffer, void> {
  const ring: Buffer[] = []
  let turn = 0
  let block: Buffer | undefined
  let used = 0
  for await (const chunk of chunks) {
    if (used === 0 && chunk.length === size && blocksValid >= IN_FLIGHT) {
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      continue
    }
    for (let done = 0; done < chunk.length; ) {
      if (block === undefined) {
        const at = turn++ % (IN_FLIGHT + 1)
        ring[at] ??= Buffer.allocUnsafeSlow(size)
        block = ring[at]
      }
      const part = Math.min(size - used, chunk.length - done)
      block.set(chunk.subarray(done, done + part), used)
      used += part
      done += part
      if (used === size) {
        yield block
        block = undefined
        used = 0
      }
    }
  }
  if (block !== undefined && used > 0) yield block.subarray(0, used)
}
