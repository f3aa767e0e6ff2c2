import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

/** More than what a block of text packs to, so that most results are one piece. */
const OUTPUT = 1 << 20
/** What one stored block of deflate can hold (RFC 1951 §3.2.4). */
const STORED = 0xffff

/**
 * Compresses blocks one after another, each for itself. One stream serves for all of them: a new one for each block would
 * be half a megabyte and more outside of V8's heap, with the output another one, and V8 answers to so much of that with
 * one full collection after another.
 */
export interface BlockCompressor {
  /** The next block; the last one must be done. */
  compress(block: Buffer): Promise<Buffer>
  /** Ends what is under way. */
  close(): void
}

const OPTIONS = {
  chunkSize: OUTPUT,
  // Nobody reads before a block is done: until then the stream must not wait for a reader.
  ...{ readableHighWaterMark: 1 << 30 },
}

/** Raw deflate, each block of which ends on a byte boundary and refers to nothing before it. */
export function blockDeflater(level: number): BlockCompressor {
  const stream = zlib.createDeflateRaw({ ...OPTIONS, level, flush: zlib.constants.Z_SYNC_FLUSH })
  return onStream(stream, () => stream.reset())
}

/** A zstd frame for each block. An empty one may follow it where a piece of output was full (nodejs/node#66078). */
export function frameCompressor(level: number): BlockCompressor {
  const { constants } = zlib
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 }
  return onStream(zlib.createZstdCompress({ ...OPTIONS, flush: constants.ZSTD_e_end, params }), () => {})
}

function onStream(stream: Transform, reset: () => void): BlockCompressor {
  // Whoever waits for the block is told.
  stream.on('error', () => {})
  return {
    async compress(block) {
      await new Promise<void>((resolve, reject) => {
        stream.write(block, (error) => (error ? reject(error) : resolve()))
      })
      const packed: Buffer | null = stream.read()
      reset()
      return packed ?? Buffer.alloc(0)
    },
    close: () => void stream.destroy(),
  }
}

/** A block as it is, in deflate's own framing: what does not shrink costs no more than a copy. */
export function storedBlock(block: Buffer): Buffer {
  const count = Math.ceil(block.length / STORED)
  const stored = Buffer.allocUnsafeSlow(block.length + 5 * count)
  let at = 0
  for (let from = 0; from < block.length; from += STORED) {
    const size = Math.min(STORED, block.length - from)
    stored[at] = 0
    stored.writeUInt16LE(size, at + 1)
    stored.writeUInt16LE(~size & 0xffff, at + 3)
    block.copy(stored, at + 5, from, from + size)
    at += 5 + size
  }
  return stored
}

const SAMPLE_PART = 4096
/** Bits of a byte's eight that noise has at least, by the counts of its bytes in a sample. */
const NOISE_BITS = 7.8

/**
 * Whether a block shrinks at all: jars, images and archives are stored as they are, twenty times faster. Judged by four
 * samples, so that it depends on the block's bytes only.
 */
export function shrinks(block: Buffer): boolean {
  if (block.length <= 4 * SAMPLE_PART) return true
  const sample = Buffer.concat(
    [1, 3, 5, 7].map((eighth) => {
      const at = Math.floor((block.length * eighth) / 8)
      return block.subarray(at, at + SAMPLE_PART)
    }),
  )
  // What is uneven shrinks; what is even may repeat itself all the same.
  return (
    entropy(sample) < NOISE_BITS || zlib.deflateRawSync(sample, { level: 1 }).length < sample.length * 0.97
  )
}

/** Bits that a byte holds, were each independent of the others (Shannon). */
function entropy(bytes: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    counts[byte] = (counts[byte] as number) + 1
  }
  let bits = 0
  for (const count of counts) if (count > 0) bits -= (count / bytes.length) * Math.log2(count / bytes.length)
  return bits
}
