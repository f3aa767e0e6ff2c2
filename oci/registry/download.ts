import { SlipwayError } from '../../core/error.ts'
import { isTemporaryError } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'
import type { Digest } from '../digest.ts'
import { createMeter } from '../verify.ts'
import { refusal } from './failure.ts'
import { readScopes, resource, type Target } from './target.ts'

/** How often in a row a download may break without a byte of progress. */
const BREAKS = 5

/** Size of a blob by HEAD, or undefined where it is missing (distribution spec, checking if content exists). */
export async function blobSize(target: Target, digest: Digest): Promise<number | undefined> {
  const known = target.state.present.get(digest)
  if (known !== undefined) return known
  const response = await target.session.send({
    method: 'HEAD',
    target: resource(target, `blobs/${digest}`),
    repository: target.path,
    scopes: readScopes(target),
  })
  if (response.status === 404) {
    await response.discard()
    return undefined
  }
  if (response.status !== 200) {
    throw (await refusal(response, 'look for the blob', `${target.name}@${digest}`)).error
  }
  const length = response.headers.get('content-length')
  await response.discard()
  if (length === undefined || !/^\d+$/.test(length)) {
    throw new SlipwayError(
      'OCI_ANSWER_INVALID',
      `the registry does not say how large ${target.name}@${digest} is`,
      {
        subject: `${target.name}@${digest}`,
        class: 'infrastructure',
      },
    )
  }
  target.state.present.set(digest, Number(length))
  return Number(length)
}

/**
 * The bytes of a blob, checked while they stream; a broken connection is resumed where it broke (`Range`). Redirects to a
 * storage are followed without credentials.
 */
export async function* openBlob(target: Target, digest: Digest, size?: number): AsyncGenerator<Uint8Array> {
  const meter = createMeter(`${target.name}@${digest}`, { digest, ...(size === undefined ? {} : { size }) })
  for await (const chunk of openBlobFrom(target, digest, 0, size)) {
    meter.add(chunk)
    yield chunk
  }
  meter.finish()
}

/** As {@link openBlob}, from an offset on and unchecked: whoever has the bytes before checks the whole. */
export async function* openBlobFrom(
  target: Target,
  digest: Digest,
  offset: number,
  size?: number,
): AsyncGenerator<Uint8Array> {
  const subject = `${target.name}@${digest}`
  let read = offset
  for (let breaks = 0; ; ) {
    const from = read
    const response = await request(target, digest, from)
    if (response.status === 416 && from > 0) {
      // The connection broke exactly where the blob ends; whether it does, the digest says.
      await response.discard()
      return
    }
    const skip = await beginning(response, from, subject)
    try {
      for await (const chunk of after(response.body, skip)) {
        read += chunk.length
        yield chunk
      }
      if (!endedEarly(response, read, size)) return
      throw lost(subject)
    } catch (error) {
      breaks = read > from ? 1 : breaks + 1
      if (!isTemporaryError(error) || breaks >= BREAKS) throw error
      target.emit({ type: 'debug', message: `resuming ${subject} at byte ${read}` })
    }
  }
}

/** A body with neither length nor chunks ends with its connection, even when that only broke. */
function endedEarly(response: HttpResponse, read: number, size: number | undefined): boolean {
  const framed =
    response.headers.get('content-length') !== undefined ||
    response.headers.get('transfer-encoding') !== undefined
  return !framed && size !== undefined && read < size
}

async function request(target: Target, digest: Digest, from: number): Promise<HttpResponse> {
  return await target.session.send({
    method: 'GET',
    target: resource(target, `blobs/${digest}`),
    // Without this a server might compress, and a digest is that of the bytes as stored.
    headers: { 'accept-encoding': 'identity', ...(from === 0 ? {} : { range: `bytes=${from}-` }) },
    repository: target.path,
    scopes: readScopes(target),
  })
}

/** Bytes at the beginning of the answer that were had already: all of them where the server ignores ranges. */
async function beginning(response: HttpResponse, from: number, subject: string): Promise<number> {
  if (response.status === 200) return from
  if (response.status === 206 && from > 0) {
    const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
    if (start !== undefined && Number(start) === from) return 0
    await response.discard()
    throw new SlipwayError(
      'OCI_ANSWER_INVALID',
      `the registry answered another range of ${subject} than asked for`,
      {
        subject,
        class: 'infrastructure',
      },
    )
  }
  if (response.status === 404) {
    await response.discard()
    throw new SlipwayError('OCI_BLOB_MISSING', `the blob is not in the registry: ${subject}`, {
      subject,
      hint: 'the image may have been removed, or never completely uploaded; push it again',
      class: 'infrastructure',
    })
  }
  throw (await refusal(response, 'read the blob', subject)).error
}

async function* after(body: AsyncIterable<Uint8Array>, skip: number): AsyncGenerator<Uint8Array> {
  let left = skip
  for await (const chunk of body) {
    const dropped = Math.min(left, chunk.length)
    left -= dropped
    if (dropped < chunk.length) yield dropped === 0 ? chunk : chunk.subarray(dropped)
  }
}

function lost(subject: string): SlipwayError {
  return new SlipwayError('HTTP_CONNECTION_LOST', `the connection was lost: ${subject}`, {
    subject,
    class: 'infrastructure',
  })
}
