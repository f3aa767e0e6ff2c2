/**
 * Cuts a zstd stream so that no chunk holds bytes of two frames: Node's stream decoder fails on small frames that come
 * together (nodejs/node#64741) and takes a stream that ends in the middle for a whole one. Skippable frames are
 * dropped. Only frame and block headers are looked at (RFC 8878 §3.1).
 * @throws RangeError with a code of zlib's kind when the bytes are no whole zstd stream.
 */
export async function* zstdFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const input = byteReader(chunks)
  for (let magic = await input.next(4); magic !== undefined; magic = await input.next(4)) {
    const number = magic.readUInt32LE(0)
    if (number >>> 4 === SKIPPABLE) {
      for await (const _ of input.pass((await input.take(4)).readUInt32LE(0)));
    } else if (number === MAGIC) {
      yield* gathered(frame(magic, input))
    } else {
      throw invalid('Unknown frame descriptor')
    }
  }
}

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a5
/** A write to the decoder costs a turn of the thread pool, so small parts go together. */
const GATHER = 256 << 10

interface ByteReader {
  /** Exactly that many bytes, or undefined when the stream ends before the first. */
  next(count: number): Promise<Buffer | undefined>
  take(count: number): Promise<Buffer>
  /** That many bytes, as they come. */
  pass(count: number): AsyncGenerator<Uint8Array, void>
}

async function* frame(magic: Buffer, input: ByteReader): AsyncGenerator<Uint8Array, void> {
  yield magic
  const descriptor = await input.take(1)
  yield descriptor
  const flags = descriptor[0] as number
  const single = (flags & 0x20) !== 0
  const contentSize = [single ? 1 : 0, 2, 4, 8][flags >> 6] as number
  const dictionary = [0, 1, 2, 4][flags & 3] as number
  yield await input.take((single ? 0 : 1) + dictionary + contentSize)
  for (let last = false; !last; ) {
    const bytes = await input.take(3)
    yield bytes
    const header = bytes.readUIntLE(0, 3)
    last = (header & 1) === 1
    const type = (header >> 1) & 3
    if (type === 3) throw invalid('Reserved block type')
    // A repeated byte (type 1) is stored once, whatever the size.
    yield* input.pass(type === 1 ? 1 : header >> 3)
  }
  if ((flags & 4) !== 0) yield await input.take(4)
}

async function* gathered(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let held: Uint8Array[] = []
  let size = 0
  for await (const part of parts) {
    held.push(part)
    size += part.length
    if (size < GATHER) continue
    yield Buffer.concat(held)
    held = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(held)
}

function byteReader(chunks: AsyncIterable<Uint8Array>): ByteReader {
  const source = chunks[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)

  /** Some bytes, at most `count`; none at the end. */
  async function some(count: number): Promise<Uint8Array> {
    while (chunk.length === 0) {
      const next = await source.next()
      if (next.done === true) return chunk
      chunk = next.value
    }
    const part = chunk.subarray(0, count)
    chunk = chunk.subarray(part.length)
    return part
  }

  async function* pass(count: number): AsyncGenerator<Uint8Array, void> {
    for (let left = count; left > 0; ) {
      const part = await some(left)
      if (part.length === 0) throw invalid('unexpected end of file')
      left -= part.length
      yield part
    }
  }

  async function next(count: number): Promise<Buffer | undefined> {
    const first = await some(count)
    if (first.length === 0 && count > 0) return undefined
    const parts: Uint8Array[] = [first]
    for await (const part of pass(count - first.length)) parts.push(part)
    return Buffer.concat(parts)
  }

  async function take(count: number): Promise<Buffer> {
    const bytes = await next(count)
    if (bytes === undefined) throw invalid('unexpected end of file')
    return bytes
  }

  return { next, take, pass }
}

function invalid(message: string): Error {
  return Object.assign(new RangeError(message), { code: 'ZSTD_error_prefix_unknown' })
}
