import { SlipwayError } from '../../core/error.ts'
import { paddingOf, TAR_BLOCK, type TarEntry } from './header.ts'
import { invalidTar, parseHeader, type RawHeader } from './parse-header.ts'
import { applyPax, type PaxRecords, parsePax } from './pax.ts'

/**
 * Reads tars that strangers made: USTAR, PAX (local and global), GNU long names and base-256 numbers, old V7. Every
 * failure is a SlipwayError `OCI_TAR_…`; sizes of what is held in memory are capped; names are handed on as they stand
 * and are for the receiver to check before they become paths.
 */

/** What is told about an archive, in its order, synchronously. */
export interface TarReceiver {
  entry(entry: TarEntry): void
  /** The next bytes of the last entry's body; valid during the call. */
  data(bytes: Uint8Array): void
  /** The last entry's body is complete. Comes for every entry. */
  end(): void
}

export interface TarParser {
  push(chunk: Uint8Array): void
  /** @throws SlipwayError `OCI_TAR_TRUNCATED` when the archive cannot end here. */
  finish(): void
}

/** Reads a whole archive; bytes behind its end are read too, so that a digest over the stream gets checked. */
export async function readTar(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  receiver: TarReceiver,
): Promise<void> {
  const parser = tarParser(receiver)
  for await (const chunk of chunks) parser.push(chunk)
  parser.finish()
}

/** Limit of libarchive and Go for a PAX header or a GNU long name. */
const MAX_META = 1 << 20

/** PAX headers of one entry and of all that follow; GNU's long names and link targets. */
const META_FLAGS: ReadonlySet<string> = new Set(['x', 'g', 'L', 'K'])

const ZERO = Buffer.alloc(TAR_BLOCK)
const NO_RECORDS: PaxRecords = new Map()

/** An entry with a body that goes to the receiver, one that is metadata for the next, or one that is skipped. */
type Body =
  | { readonly kind: 'entry' }
  | { readonly kind: 'meta'; readonly flag: string; readonly parts: Uint8Array[] }

type Place =
  | { readonly at: 'header' }
  | { readonly at: 'body'; readonly body: Body; readonly left: number; readonly padding: number }
  | { readonly at: 'padding'; readonly left: number }
  /** After the first zero block, then after the second. */
  | { readonly at: 'half-end' }
  | { readonly at: 'end' }

export function tarParser(receiver: TarReceiver): TarParser {
  let place: Place = { at: 'header' }
  const partial = Buffer.alloc(TAR_BLOCK)
  let partialLength = 0
  let globals = NO_RECORDS
  let locals = NO_RECORDS
  /** Metadata was read whose entry has not come yet. */
  let waiting = false

  function header(block: Buffer): void {
    if (block[0] === 0 && block.equals(ZERO)) {
      if (waiting) throw invalidTar('an extended header without its entry')
      place = place.at === 'half-end' ? { at: 'end' } : { at: 'half-end' }
      return
    }
    if (place.at === 'half-end') throw invalidTar('something follows the first zero block')
    const raw = parseHeader(block)
    if (META_FLAGS.has(raw.flag)) meta(raw)
    else entryHeader(raw)
  }

  function entryHeader(raw: RawHeader): void {
    const entry = applyPax(raw, globals === NO_RECORDS ? locals : new Map([...globals, ...locals]))
    locals = NO_RECORDS
    waiting = false
    receiver.entry(entry)
    body({ kind: 'entry' }, 'size' in entry ? entry.size : 0)
  }

  function meta(raw: RawHeader): void {
    if (raw.size > MAX_META) throw invalidTar(`an extended header of ${raw.size} bytes`)
    if (raw.flag !== 'g') waiting = true
    body({ kind: 'meta', flag: raw.flag, parts: [] }, raw.size)
  }

  function body(kind: Body, size: number): void {
    if (size === 0) bodyDone(kind, 0)
    else place = { at: 'body', body: kind, left: size, padding: paddingOf(size) }
  }

  function bodyDone(done: Body, padding: number): void {
    place = padding === 0 ? { at: 'header' } : { at: 'padding', left: padding }
    if (done.kind === 'entry') {
      receiver.end()
      return
    }
    const bytes = Buffer.concat(done.parts)
    if (done.flag === 'x') locals = new Map([...locals, ...parsePax(bytes)])
    else if (done.flag === 'g') globals = capped(new Map([...globals, ...parsePax(bytes)]))
    else locals = new Map([...locals, [done.flag === 'L' ? 'path' : 'linkpath', longName(bytes)]])
  }

  /** Takes part of a chunk and returns where it stopped. */
  function step(chunk: Uint8Array, from: number): number {
    const available = chunk.length - from
    if (place.at === 'end') return chunk.length
    if (place.at === 'padding') {
      const taken = Math.min(place.left, available)
      place = taken === place.left ? { at: 'header' } : { ...place, left: place.left - taken }
      return from + taken
    }
    if (place.at === 'body') {
      const { body: kind, left, padding } = place
      const taken = Math.min(left, available)
      const bytes = chunk.subarray(from, from + taken)
      if (kind.kind === 'entry') receiver.data(bytes)
      else kind.parts.push(Buffer.from(bytes))
      if (taken === left) bodyDone(kind, padding)
      else place = { at: 'body', body: kind, left: left - taken, padding }
      return from + taken
    }
    const taken = Math.min(TAR_BLOCK - partialLength, available)
    partial.set(chunk.subarray(from, from + taken), partialLength)
    partialLength += taken
    if (partialLength === TAR_BLOCK) {
      partialLength = 0
      header(partial)
    }
    return from + taken
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) at = step(chunk, at)
    },
    finish() {
      // Some writers leave out the zero blocks; what stands so far is whole.
      const between = place.at === 'header' && !waiting
      if ((!between && place.at !== 'half-end' && place.at !== 'end') || partialLength > 0) {
        throw new SlipwayError('OCI_TAR_TRUNCATED', 'a tar ends in the middle', { class: 'infrastructure' })
      }
    },
  }
}

/** Global headers add up; without a limit they would be a way to fill memory. */
function capped(records: PaxRecords): PaxRecords {
  if (records.size > 1000) throw invalidTar('too many global PAX records')
  return records
}

function longName(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
}
