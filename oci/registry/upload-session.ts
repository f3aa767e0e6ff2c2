import { Temporary } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'
import type { Digest } from '../digest.ts'
import { asThrown, refusal } from './failure.ts'
import { nextLocation, uploadLocation } from './location.ts'
import { resource, type Target, writeScopes } from './target.ts'

/** The steps of an upload that every way of sending bytes shares: opening, going on, being refused, giving up. */

/** Statuses by which a registry, or a proxy before it, says that it wants lengths or smaller requests. */
const WANTS_CHUNKS = new Set([411, 413, 501])
/** An upload that a registry has opened. */
export interface Upload {
  /** Where it goes on; changes with every step. */
  location: URL
  /** The least bytes of a piece that is not the last (`OCI-Chunk-Min-Length`), where the registry says so. */
  readonly leastPiece: number
}

/** POST: where to send a blob to; an upload that was opened in place of a mount is used first. */
export async function openUpload(target: Target, digest?: Digest): Promise<Upload> {
  const opened = digest === undefined ? undefined : target.state.opened.get(digest)
  if (digest !== undefined && opened !== undefined) {
    target.state.opened.delete(digest)
    return opened
  }
  const response = await target.session.send({
    method: 'POST',
    target: resource(target, 'blobs/uploads/'),
    repository: target.path,
    scopes: writeScopes(target),
    once: true,
  })
  if (response.status !== 202) throw asThrown(await refusal(response, 'start an upload to', target.name))
  return await openedUpload(target, response)
}

/** The upload of an answer 202. */
export async function openedUpload(target: Target, response: HttpResponse): Promise<Upload> {
  const { origin } = await target.session.endpoint(target.path)
  const location = uploadLocation(response, origin)
  const least = response.headers.get('oci-chunk-min-length') ?? ''
  await response.discard()
  return { location, leastPiece: /^\d+$/.test(least) ? Number(least) : 0 }
}

/** Notes where the upload goes on. Registries answer 202, ECR 201, some 204. */
export async function accepted(
  target: Target,
  response: HttpResponse,
  open: Upload,
  subject: string,
): Promise<void> {
  if (response.status < 200 || response.status > 204) throw await refused(response, subject)
  const { origin } = await target.session.endpoint(target.path)
  open.location = nextLocation(response, origin, open.location)
  await response.discard()
}

/** What to throw for a refused step; its answer is consumed. */
export async function refused(response: HttpResponse, subject: string): Promise<Error> {
  const { status } = response
  const found = await refusal(response, 'upload', subject)
  if (WANTS_CHUNKS.has(status)) return new ChunksWanted(found.error)
  // A token that ended on the way: the session has noted it, the next try has a fresh one.
  if (status === 401) return new Temporary(found.error, 0)
  return asThrown(found)
}

/** A registry wants lengths, or smaller requests. */
export class ChunksWanted extends Error {
  readonly refusal: Error

  constructor(refusal: Error) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/** Tells a registry to forget an upload. Its failure changes nothing: uploads also end by themselves. */
export async function abandon(target: Target, open: Upload): Promise<void> {
  try {
    const response = await target.session.send({
      method: 'DELETE',
      target: open.location,
      repository: target.path,
      scopes: writeScopes(target),
      once: true,
      timeouts: { headers: 10_000 },
    })
    await response.discard()
  } catch (error) {
    target.emit({
      type: 'debug',
      message: `an unfinished upload stays at ${target.name}: ${(error as Error).message}`,
    })
  }
}
