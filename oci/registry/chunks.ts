import { SlipwayError } from '../../core/error.ts'
import { isTemporaryError, isTemporaryStatus, Temporary } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'
import { resource, type Target, writeScopes } from './target.ts'
import { accepted, type Upload } from './upload-session.ts'

/**
 * An upload in pieces with a length each, which can be resumed (distribution spec, chunked upload). The fallback for
 * registries and proxies that take no streamed body, and for flaky lines.
 */

/** GHCR refuses larger ones. */
const CHUNK = 4 * 1024 * 1024
/** A piece is held in memory: a registry cannot ask for any size. */
const LARGEST = 64 * 1024 * 1024
/** How often one piece is resumed before the whole blob is begun anew. */
const RESUMES = 3

export async function sendInChunks(
  target: Target,
  open: Upload,
  bytes: AsyncIterable<Uint8Array>,
  subject: string,
): Promise<void> {
  let offset = 0
  for await (const piece of pieces(bytes, pieceSize(open, subject))) {
    await sendPiece(target, open, piece, offset, subject)
    offset += piece.length
  }
}

function pieceSize({ leastPiece }: Upload, subject: string): number {
  if (leastPiece <= LARGEST) return Math.max(CHUNK, leastPiece)
  throw new SlipwayError(
    'OCI_ANSWER_INVALID',
    `the registry wants pieces of ${leastPiece} bytes: ${subject}`,
    {
      subject,
      class: 'infrastructure',
    },
  )
}

async function sendPiece(
  target: Target,
  open: Upload,
  piece: Uint8Array,
  offset: number,
  subject: string,
): Promise<void> {
  let sent = 0
  for (let resumes = 0; sent < piece.length; resumes++) {
    const failure = await tryPiece(target, open, piece.subarray(sent), offset + sent, subject)
    if (failure === undefined) return
    const end = resumes < RESUMES ? await received(target, open) : undefined
    // What the registry has must lie within this piece: anything before it is gone from memory.
    if (end === undefined || end < offset || end > offset + piece.length) {
      // What cannot be resumed can be begun anew.
      throw failure instanceof Temporary ? failure : new Temporary(failure)
    }
    sent = end - offset
  }
}

/** Undefined when the piece was taken, else what may be resumed after; anything else is thrown. */
async function tryPiece(
  target: Target,
  open: Upload,
  piece: Uint8Array,
  start: number,
  subject: string,
): Promise<Error | undefined> {
  let response: HttpResponse
  try {
    response = await target.session.send({
      method: 'PATCH',
      target: open.location,
      // Without the unit `bytes `: so the spec, and ACR insists.
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${start}-${start + piece.length - 1}`,
      },
      body: piece,
      repository: target.path,
      scopes: writeScopes(target),
      once: true,
    })
  } catch (error) {
    if (isTemporaryError(error)) return error as Error
    throw error
  }
  const resumable = response.status === 416 || response.status === 401 || isTemporaryStatus(response.status)
  try {
    await accepted(target, response, open, subject)
    return undefined
  } catch (error) {
    if (resumable) return error as Error
    throw error
  }
}

/** Bytes that the registry has of an upload: the end of `Range: 0-end`, plus one. Undefined where it cannot say. */
async function received(target: Target, open: Upload): Promise<number | undefined> {
  try {
    const response = await target.session.send({
      method: 'GET',
      target: open.location,
      repository: target.path,
      scopes: writeScopes(target),
      once: true,
    })
    const range = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1]
    if (response.status !== 204 || range === undefined) {
      await response.discard()
      return undefined
    }
    await accepted(target, response, open, resource(target, 'blobs/uploads'))
    // A registry that has nothing yet says 0-0, as one that has a single byte: both go on from the beginning.
    return range === '0' ? 0 : Number(range) + 1
  } catch (error) {
    if (isTemporaryError(error)) return undefined
    throw error
  }
}

/** Pieces of exactly `size` bytes, the last one shorter. */
async function* pieces(bytes: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let length = 0
  for await (let chunk of bytes) {
    while (length + chunk.length >= size) {
      const taken = size - length
      yield Buffer.concat([...held, chunk.subarray(0, taken)])
      chunk = chunk.subarray(taken)
      held = []
      length = 0
    }
    if (chunk.length > 0) held.push(chunk)
    length += chunk.length
  }
  if (length > 0) yield Buffer.concat(held)
}
