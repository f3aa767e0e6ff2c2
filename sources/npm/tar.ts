/** The regular files of a tar stream as npm packs them (ustar, pax and GNU long names); what else is in it is passed over. */
import { SlipwayError } from '../../core/error.ts'

export interface TarFile {
  /** As it stands in the archive, UTF-8. Not yet checked: it may hold `..`. */
  readonly path: string
  readonly executable: boolean
  /** Bytes. */
  readonly size: number
  /** May be left unread. */
  readonly content: AsyncIterable<Uint8Array>
}

const BLOCK = 512
const LARGEST_HEADER = 1024 * 1024

/**
 * Iterates the files in the order of the archive. The stream is not read beyond the end mark.
 * @param subject what the archive is, for errors.
 * @throws SlipwayError `SOURCE_ARCHIVE_INVALID`
 */
export async function* tarFiles(bytes: AsyncIterable<Uint8Array>, subject: string): AsyncGenerator<TarFile> {
  const reader = byteReader(bytes, subject)
  let extended: Readonly<Record<string, string>> = {}
  for (;;) {
    const header = await reader.take(BLOCK)
    if (header.every((byte) => byte === 0)) return
    checkHeader(header, subject)
    const type = String.fromCharCode(header[156] ?? 0)
    const size = extended.size === undefined ? octal(header, 124, 12) : Number(extended.size)
    if (!Number.isSafeInteger(size) || size < 0) throw invalid(subject, 'an entry has no valid size')
    const padding = (BLOCK - (size % BLOCK)) % BLOCK
    const rest = { left: size }

    if (EXTENSIONS.has(type)) {
      if (size > LARGEST_HEADER) throw invalid(subject, 'an extended header is too large')
      extended = { ...extended, ...extension(type, await reader.take(size)) }
    } else {
      if (REGULAR.has(type)) {
        const path = extended.path ?? ustarPath(header)
        const executable = (octal(header, 100, 8) & 0o111) !== 0
        yield { path, executable, size, content: reader.pieces(rest) }
      }
      await reader.skip(rest)
      extended = {}
    }
    await reader.take(padding)
  }
}

const REGULAR = new Set(['0', '\0', '7'])
/** pax headers of the next entry and of all, GNU's long names of files and links. */
const EXTENSIONS = new Set(['x', 'g', 'L', 'K'])

function extension(type: string, data: Buffer): Readonly<Record<string, string>> {
  if (type === 'x') return paxRecords(data)
  return type === 'L' ? { path: text(data) } : {}
}

interface ByteReader {
  take(size: number): Promise<Buffer>
  /** The next bytes as they come, counted off in `rest`. */
  pieces(rest: { left: number }): AsyncGenerator<Uint8Array>
  skip(rest: { left: number }): Promise<void>
}

function byteReader(bytes: AsyncIterable<Uint8Array>, subject: string): ByteReader {
  const iterator = bytes[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array(0)
  async function fill(): Promise<void> {
    while (held.length === 0) {
      const next = await iterator.next()
      if (next.done === true) throw invalid(subject, 'the archive ends too early')
      held = next.value
    }
  }
  async function* pieces(rest: { left: number }): AsyncGenerator<Uint8Array> {
    while (rest.left > 0) {
      await fill()
      const piece = held.subarray(0, rest.left)
      held = held.subarray(piece.length)
      rest.left -= piece.length
      yield piece
    }
  }
  return {
    async take(size) {
      const out = Buffer.allocUnsafe(size)
      for (let at = 0; at < size; ) {
        await fill()
        const piece = held.subarray(0, size - at)
        out.set(piece, at)
        at += piece.length
        held = held.subarray(piece.length)
      }
      return out
    },
    pieces,
    async skip(rest) {
      for await (const _ of pieces(rest));
    },
  }
}

function checkHeader(header: Buffer, subject: string): void {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0
  if (sum !== octal(header, 148, 8)) throw invalid(subject, 'an entry has a wrong checksum')
}

function octal(header: Buffer, at: number, length: number): number {
  const digits = text(header.subarray(at, at + length)).trim()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : digits === '' ? 0 : Number.NaN
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return (end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8')
}

function ustarPath(header: Buffer): string {
  const name = text(header.subarray(0, 100))
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isPosix ? text(header.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** `length key=value\n` records. */
function paxRecords(data: Buffer): Record<string, string> {
  const records: Record<string, string> = {}
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(0x20, at)
    const length = Number(data.toString('latin1', at, blank))
    if (blank < 0 || !Number.isSafeInteger(length) || length <= blank - at) break
    const record = data.toString('utf8', blank + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (equals > 0) records[record.slice(0, equals)] = record.slice(equals + 1)
    at += length
  }
  return records
}

function invalid(subject: string, why: string): SlipwayError {
  return new SlipwayError('SOURCE_ARCHIVE_INVALID', `cannot unpack the archive: ${why}`, {
    subject,
    class: 'infrastructure',
    hint: 'The file is damaged where it was fetched from.',
  })
}
