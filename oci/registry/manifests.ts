import { SlipwayError } from '../../core/error.ts'
import { Temporary } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'
import { type Digest, digestOf, isDigest } from '../digest.ts'
import { MEDIA_TYPES, type StoredManifest } from '../image.ts'
import { digestLike, mismatch } from '../verify.ts'
import { asThrown, refusal } from './failure.ts'
import { COMMIT, readScopes, resource, type Target, writeScopes } from './target.ts'

/** Manifests and indexes, as the exact bytes they are (distribution spec, pull and push of manifests). */

/** What registries are asked to take at least, and what we take at most. */
export const MANIFEST_LIMIT = 4 * 1024 * 1024

const TYPES: readonly string[] = [
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerIndex,
]
const ACCEPT = TYPES.join(', ')
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** A manifest or index by tag or digest; undefined where there is none. */
export async function getManifest(target: Target, reference: string): Promise<StoredManifest | undefined> {
  return (await getTagged(target, reference))?.stored
}

/** As {@link getManifest}, with what a change of the tag may be made conditional on. */
export async function getTagged(
  target: Target,
  reference: string,
): Promise<{ readonly stored: StoredManifest; readonly etag: string | undefined } | undefined> {
  checkName(target, reference)
  const subject = subjectOf(target, reference)
  const response = await target.session.send({
    method: 'GET',
    target: resource(target, `manifests/${reference}`),
    headers: { accept: ACCEPT },
    repository: target.path,
    scopes: readScopes(target),
  })
  if (response.status === 404) return await discarded(response)
  if (response.status !== 200) throw (await refusal(response, 'read the manifest', subject)).error
  const bytes = await manifestBytes(response, subject)
  const digest = checkDigest(bytes, reference, response, subject)
  const stored = { digest, mediaType: mediaTypeOf(bytes, response, subject), bytes }
  return { stored, etag: response.headers.get('etag') }
}

/** Digest of a manifest by HEAD, or by GET where the registry does not say; undefined where there is none. */
export async function manifestDigest(target: Target, reference: string): Promise<Digest | undefined> {
  const response = await headManifest(target, reference)
  await response.discard()
  if (response.status === 404) return undefined
  const digest = response.headers.get('docker-content-digest')
  if (response.status === 200 && digest !== undefined && isDigest(digest)) return digest
  return (await getManifest(target, reference))?.digest
}

export async function headManifest(target: Target, reference: string): Promise<HttpResponse> {
  checkName(target, reference)
  return await target.session.send({
    method: 'HEAD',
    target: resource(target, `manifests/${reference}`),
    headers: { accept: ACCEPT },
    repository: target.path,
    scopes: readScopes(target),
  })
}

export interface PutResult {
  readonly digest: Digest
  /** The registry says that it lists the manifest among what refers to its subject (`OCI-Subject`). */
  readonly subjectNoted: boolean
}

/**
 * What a registry answers to a manifest whose blobs it does not have, or does not have yet: docker-registry rewrites a
 * repository's link to a blob in place when somebody else stores it again, and finds the link empty (distribution#4489);
 * others take their time to make known what they have accepted. All blobs are there before a manifest is sent.
 */
const BLOB_UNKNOWN = 'MANIFEST_BLOB_UNKNOWN'

/** From so many tags on it pays to ask for all of them at once, though few registries can. */
const SEVERAL = 3

/**
 * Stores bytes under each tag, or under their digest alone where there is no tag. Many tags are first tried in one request
 * (distribution spec after 1.1, `tag` parameters): those that the registry does not confirm are written one by one.
 */
export async function putManifest(
  target: Target,
  bytes: Uint8Array,
  mediaType: string,
  tags: readonly string[],
): Promise<PutResult> {
  if (bytes.length > MANIFEST_LIMIT) throw tooLarge(target.name, bytes.length)
  for (const tag of tags) checkName(target, tag)
  const digest = digestOf(bytes)
  const own = [...new Set(tags)]
  const put = { bytes, mediaType, digest }
  const results: PutAnswer[] = []
  if (own.length >= SEVERAL) results.push(await putOne(target, put, digest, own))
  const confirmed = results.flatMap(({ confirmedTags }) => confirmedTags)
  const names = own.length === 0 ? [digest] : own.filter((tag) => !confirmed.includes(tag))
  for (const name of names) results.push(await putOne(target, put, name))
  return { digest, subjectNoted: results.some(({ subjectNoted }) => subjectNoted) }
}

/**
 * Stores bytes under a tag that is still what it was when `etag` was read. False where it is not; registries that know no
 * conditions store them anyway.
 */
export async function replaceTag(
  target: Target,
  bytes: Uint8Array,
  mediaType: string,
  tag: string,
  etag: string | undefined,
): Promise<boolean> {
  if (bytes.length > MANIFEST_LIMIT) throw tooLarge(target.name, bytes.length)
  const put = { bytes, mediaType, digest: digestOf(bytes), ...(etag === undefined ? {} : { ifMatch: etag }) }
  return (await putOne(target, put, tag)).stored
}

interface Put {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
  readonly ifMatch?: string
}

interface PutAnswer {
  readonly stored: boolean
  readonly subjectNoted: boolean
  readonly confirmedTags: readonly string[]
}

async function putOne(
  target: Target,
  { bytes, mediaType, digest, ifMatch }: Put,
  name: string,
  tags: readonly string[] = [],
): Promise<PutAnswer> {
  const subject = subjectOf(target, name)
  const query = tags.map((tag) => `tag=${encodeURIComponent(tag)}`).join('&')
  const notStored = (status: number) =>
    (status === 412 && ifMatch !== undefined) || (status === 400 && tags.length > 0)
  const response = await target.retrier.run(target.session.registry, async () => {
    const response = await target.session.send({
      method: 'PUT',
      target: resource(target, `manifests/${name}${query === '' ? '' : `?${query}`}`),
      // undici writes the length of a byte array; Nexus refuses a manifest without.
      headers: { 'content-type': mediaType, ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
      body: bytes,
      repository: target.path,
      scopes: writeScopes(target),
      once: true,
      timeouts: COMMIT,
    })
    if ((response.status >= 200 && response.status <= 204) || notStored(response.status)) return response
    const refused = await refusal(response, 'write the manifest', subject)
    // A token that ended, or allowed less: the session has noted it, the next try has another one.
    if (refused.status === 401) throw new Temporary(refused.error, 0)
    throw asThrown({
      ...refused,
      temporary: refused.temporary || refused.complaints.some(({ code }) => code === BLOB_UNKNOWN),
    })
  })
  if (notStored(response.status)) {
    await response.discard()
    return { stored: false, subjectNoted: false, confirmedTags: [] }
  }
  const answered = response.headers.get('docker-content-digest')
  await response.discard()
  if (answered !== undefined && isDigest(answered) && answered.startsWith('sha256:') && answered !== digest) {
    throw mismatch(subject, digest, answered)
  }
  return {
    stored: true,
    subjectNoted: response.headers.get('oci-subject') !== undefined,
    confirmedTags: response.headers
      .all('oci-tag')
      .flatMap((line) => line.split(',').map((tag) => tag.trim())),
  }
}

/** Removes a manifest or tag. False where it is not there. */
export async function deleteManifest(target: Target, reference: string): Promise<boolean> {
  checkName(target, reference)
  const response = await target.session.send({
    method: 'DELETE',
    target: resource(target, `manifests/${reference}`),
    repository: target.path,
    scopes: [`repository:${target.path}:pull,push,delete`],
  })
  if (response.status === 404) return (await discarded(response)) ?? false
  if (response.status !== 202 && response.status !== 200 && response.status !== 204) {
    throw (await refusal(response, 'delete', subjectOf(target, reference))).error
  }
  await response.discard()
  return true
}

async function discarded(response: HttpResponse): Promise<undefined> {
  await response.discard()
  return undefined
}

async function manifestBytes(response: HttpResponse, subject: string): Promise<Uint8Array> {
  const declared = Number(response.headers.get('content-length') ?? 0)
  if (declared > MANIFEST_LIMIT) {
    await response.discard()
    throw tooLarge(subject, declared)
  }
  try {
    return await response.bytes(MANIFEST_LIMIT)
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'HTTP_BODY_TOO_LARGE') throw tooLarge(subject)
    throw error
  }
}

function checkDigest(bytes: Uint8Array, reference: string, response: HttpResponse, subject: string): Digest {
  const answered = response.headers.get('docker-content-digest')
  const expected = isDigest(reference)
    ? reference
    : answered !== undefined && isDigest(answered)
      ? answered
      : undefined
  const actual = digestLike(bytes, expected)
  if (expected !== undefined && expected !== actual) throw mismatch(subject, expected, actual)
  return actual
}

/**
 * The type that the bytes themselves name, else the header's. Where both name a manifest type and disagree, one of two
 * readers would be misled: that is an error.
 */
function mediaTypeOf(bytes: Uint8Array, response: HttpResponse, subject: string): string {
  const header = (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  let inside: unknown
  try {
    inside = (JSON.parse(Buffer.from(bytes).toString('utf8')) as { mediaType?: unknown } | null)?.mediaType
  } catch (error) {
    throw new SlipwayError('OCI_MANIFEST_INVALID', `the manifest of ${subject} is not JSON`, {
      subject,
      cause: error,
      class: 'infrastructure',
    })
  }
  if (typeof inside !== 'string' || inside === '') return header
  if (TYPES.includes(header) && header !== inside) {
    throw new SlipwayError(
      'OCI_MANIFEST_INVALID',
      `the manifest of ${subject} says that it is ${JSON.stringify(inside.slice(0, 200))}, but was served as ${header}`,
      { subject, class: 'infrastructure' },
    )
  }
  return inside
}

function subjectOf(target: Target, reference: string): string {
  return `${target.name}${reference.includes(':') ? '@' : ':'}${reference}`
}

function tooLarge(subject: string, size?: number): SlipwayError {
  const measure = size === undefined ? `more than ${MANIFEST_LIMIT} bytes` : `${size} bytes`
  return new SlipwayError('OCI_MANIFEST_TOO_LARGE', `the manifest of ${subject} has ${measure}`, {
    subject,
    hint: 'registries take manifests of 4 MiB at most',
    class: 'infrastructure',
  })
}

/** A name becomes part of a URL: `..` must not. */
function checkName(target: Target, reference: string): void {
  if (isDigest(reference) || TAG.test(reference)) return
  throw new SlipwayError('OCI_TAG_INVALID', `not a tag: ${JSON.stringify(reference.slice(0, 140))}`, {
    subject: target.name,
    class: 'usage',
    hint: 'a tag has at most 128 letters, digits, "_", "." and "-", and does not begin with "." or "-"',
  })
}
