import { SlipwayError } from '../../core/error.ts'
import { Temporary } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'
import { type Digest, isDigest } from '../digest.ts'
import type { BlobSource, StoredBlob } from '../image.ts'
import { createMeter, type Meter, mismatch } from '../verify.ts'
import { sendInChunks } from './chunks.ts'
import { withParameter } from './location.ts'
import { COMMIT, type Target, writeScopes } from './target.ts'
import { abandon, accepted, ChunksWanted, openUpload, refused, type Upload } from './upload-session.ts'

/**
 * Uploading blobs (distribution spec, push; libraries.md §3.3). A blob is tried again as a whole: the source is opened anew,
 * which costs less than keeping what was sent.
 */

/** After so many tries the line is taken for flaky: small pieces that can be resumed are sent instead. */
const FLAKY_AFTER = 2

/** Sends a blob, whether it is there or not. */
export async function upload(target: Target, source: BlobSource): Promise<StoredBlob> {
  let wantsChunks = false
  const stored = await target.retrier.run(target.session.registry, async (attempt) => {
    const chunked = wantsChunks || target.state.chunked || attempt > FLAKY_AFTER
    const open = await openUpload(target, source.digest)
    try {
      const blob = await transfer(target, source, open, chunked)
      // Learned the hard way once; the next blob need not.
      if (wantsChunks) target.state.chunked = true
      return blob
    } catch (error) {
      await abandon(target, open)
      if (!(error instanceof ChunksWanted)) throw error
      if (chunked) throw error.refusal
      wantsChunks = true
      throw new Temporary(error.refusal, 0)
    }
  })
  target.state.present.set(stored.digest, stored.size)
  target.emit({ type: 'bytes-uploaded', digest: stored.digest, bytes: stored.size })
  return stored
}

async function transfer(
  target: Target,
  source: BlobSource,
  open: Upload,
  chunked: boolean,
): Promise<StoredBlob> {
  const subject = source.digest === undefined ? target.name : `${target.name}@${source.digest}`
  const meter = createMeter(subject, source)
  const known = source.digest !== undefined && source.size !== undefined
  if (chunked) {
    await sendInChunks(target, open, measured(source, meter), subject)
    return await commit(target, open, meter.finish(), subject)
  }
  if (!known) {
    await stream(target, open, source, meter, subject)
    return await commit(target, open, meter.finish(), subject)
  }
  const blob: StoredBlob = { digest: source.digest as Digest, size: source.size as number }
  const response = await target.session.send({
    method: 'PUT',
    target: withParameter(open.location, 'digest', blob.digest),
    headers: { 'content-type': 'application/octet-stream' },
    body: () => checked(source, meter),
    contentLength: blob.size,
    repository: target.path,
    scopes: writeScopes(target),
    once: true,
    timeouts: COMMIT,
  })
  return await committed(target, response, blob, subject)
}

/** PATCH with a body of unknown length. */
async function stream(
  target: Target,
  open: Upload,
  source: BlobSource,
  meter: Meter,
  subject: string,
): Promise<void> {
  let complete = false
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* measured(source, meter)
    complete = true
  }
  const response = await target.session.send({
    method: 'PATCH',
    target: open.location,
    headers: { 'content-type': 'application/octet-stream' },
    body,
    repository: target.path,
    scopes: writeScopes(target),
    once: true,
    timeouts: COMMIT,
  })
  await accepted(target, response, open, subject)
  // Content with before the end: what was read so far must not become a blob under its own, wrong digest.
  if (!complete) throw new Temporary(early(subject))
}

function early(subject: string): SlipwayError {
  return new SlipwayError('OCI_ANSWER_INVALID', `the registry took an upload before its end: ${subject}`, {
    subject,
    class: 'infrastructure',
  })
}

/** PUT without body: the upload becomes the blob. */
async function commit(target: Target, open: Upload, blob: StoredBlob, subject: string): Promise<StoredBlob> {
  const response = await target.session.send({
    method: 'PUT',
    target: withParameter(open.location, 'digest', blob.digest),
    headers: { 'content-type': 'application/octet-stream' },
    repository: target.path,
    scopes: writeScopes(target),
    once: true,
    timeouts: COMMIT,
  })
  return await committed(target, response, blob, subject)
}

async function committed(
  target: Target,
  response: HttpResponse,
  blob: StoredBlob,
  subject: string,
): Promise<StoredBlob> {
  if (response.status < 200 || response.status > 204) throw await refused(response, subject)
  const answered = response.headers.get('docker-content-digest')
  await response.discard()
  if (
    answered !== undefined &&
    isDigest(answered) &&
    answered !== blob.digest &&
    answered.startsWith('sha256:')
  ) {
    throw mismatch(`${target.name}@${blob.digest}`, blob.digest, answered)
  }
  return blob
}

async function* measured(source: BlobSource, meter: Meter): AsyncGenerator<Uint8Array> {
  for await (const chunk of source.open()) {
    meter.add(chunk)
    yield chunk
  }
}

/** As {@link measured}; the last bytes are only let go when everything was right, so that no wrong blob is complete. */
async function* checked(source: BlobSource, meter: Meter): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined
  for await (const chunk of measured(source, meter)) {
    if (held !== undefined) yield held
    held = chunk
  }
  meter.finish()
  if (held !== undefined) yield held
}
