import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNow } from '../../core/clock.ts'
import { SlipwayError } from '../../core/error.ts'
import { algorithm, type Digest, digestOf, encoded, isDigest } from '../digest.ts'
import { type Descriptor, MEDIA_TYPES } from '../image.ts'
import { refusal } from './failure.ts'
import { getManifest, getTagged, MANIFEST_LIMIT, replaceTag } from './manifests.ts'
import { nextPage } from './pages.ts'
import { readScopes, resource, type Target } from './target.ts'

/**
 * What points at a manifest by its `subject`: signatures, SBOMs, provenance (distribution spec, listing referrers), and the
 * index under a tag that stands in for registries without that API.
 */

type Json = Readonly<Record<string, unknown>>

/** No registry with fewer pages than this has anything real to say. */
const MOST_PAGES = 100

/** Descriptors of all that refers to a manifest, of one artifact type where it is given. */
export async function listReferrers(
  target: Target,
  subject: Digest,
  artifactType?: string,
): Promise<readonly Descriptor[]> {
  const all = (await fromApi(target, subject)) ?? (await fromFallback(target, subject))
  // Registries may filter, and need not: it is done here, for both ways of listing.
  return all.filter((entry) => artifactType === undefined || entry.artifactType === artifactType)
}

async function fromApi(target: Target, subject: Digest): Promise<Descriptor[] | undefined> {
  const { origin } = await target.session.endpoint(target.path)
  const found: Descriptor[] = []
  let page: string | undefined = resource(target, `referrers/${subject}`)
  for (let pages = 0; page !== undefined && pages < MOST_PAGES; pages++) {
    const response = await target.session.send({
      method: 'GET',
      target: page,
      headers: { accept: MEDIA_TYPES.ociIndex },
      repository: target.path,
      scopes: readScopes(target),
    })
    // Registries without the API have many ways to say so; only a denial is one.
    if (response.status === 401 || response.status === 403) {
      throw (await refusal(response, 'list what refers to', `${target.name}@${subject}`)).error
    }
    const index = response.headers.get('content-type')?.startsWith(MEDIA_TYPES.ociIndex) === true
    if (response.status !== 200 || !index) {
      await response.discard()
      return undefined
    }
    found.push(...descriptorsOf(await response.json(MANIFEST_LIMIT)))
    page = nextPage(response.headers.get('link'), response.url, origin)
  }
  return found
}

async function fromFallback(target: Target, subject: Digest): Promise<Descriptor[]> {
  const stored = await getManifest(target, fallbackTag(subject))
  return stored === undefined ? [] : descriptorsOf(parse(stored.bytes))
}

/** `sha256-<hex>`, cut as the spec says. */
export function fallbackTag(subject: Digest): string {
  return `${algorithm(subject).slice(0, 32)}-${encoded(subject).slice(0, 64)}`
}

/** The manifest that some bytes refer to, or undefined where they refer to none. */
export function subjectOf(bytes: Uint8Array): Digest | undefined {
  const digest = object(object(parse(bytes))?.subject)?.digest
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined
}

/** How often another writer of the same index may come between. */
const TRIES = 12
/** Milliseconds at most, times the tries there were, before a lost race is run again: so that its runners part. */
const PAUSE = 100
/** Milliseconds at least in which another writer, who had read the index before us, may still write over it. */
const SETTLE = 300

/**
 * Enters a manifest into the index of its subject. Within a process one change waits for the other, and what comes
 * meanwhile for the same subject is entered together. Between processes the write is conditional where the registry gives an ETag (`If-Match`), but few heed it: what was written is looked at again
 * when those who read before it must have written, and is entered anew where it is gone.
 * @throws SlipwayError `OCI_REFERRER_LOST` when it is gone every time
 */
export async function enterFallback(
  target: Target,
  bytes: Uint8Array,
  mediaType: string,
  subject: Digest,
): Promise<void> {
  const { referrers } = target.state
  const entry = descriptorFor(bytes, mediaType)
  const waiting = referrers.waiting.get(subject)
  if (waiting !== undefined) {
    if (waiting.entries.every(({ digest }) => digest !== entry.digest)) waiting.entries.push(entry)
    return await waiting.entered
  }
  const entries = [entry]
  const entered = referrers.last
    .catch(() => {})
    .then(() => {
      referrers.waiting.delete(subject)
      return enter(target, entries, subject)
    })
  referrers.waiting.set(subject, { entries, entered })
  referrers.last = entered
  await entered
}

async function enter(target: Target, wanted: readonly Json[], subject: Digest): Promise<void> {
  const tag = fallbackTag(subject)
  const read = async () => {
    const found = await getTagged(target, tag)
    const entries = found === undefined ? [] : rawEntries(parse(found.stored.bytes))
    const known = new Set(entries.map((entry) => object(entry)?.digest))
    return { entries, missing: wanted.filter(({ digest }) => !known.has(digest)), etag: found?.etag }
  }
  /** The last condition that did not hold. Nothing came between where it is still what one reads: it is left out then. */
  let refused: string | undefined
  for (let tries = 0; tries < TRIES; tries++) {
    await pause(Math.random() * PAUSE * tries)
    const began = monotonicNow()
    const { entries, missing, etag } = await read()
    if (missing.length === 0) return
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [...entries, ...missing] }
    const content = Buffer.from(JSON.stringify(index))
    const condition = etag === refused ? undefined : etag
    if (!(await replaceTag(target, content, MEDIA_TYPES.ociIndex, tag, condition))) {
      refused = etag
      continue
    }
    // Others need about as long from their reading to their writing as we did.
    await pause(Math.max(SETTLE, 3 * (monotonicNow() - began)))
    if ((await read()).missing.length === 0) return
  }
  throw new SlipwayError(
    'OCI_REFERRER_LOST',
    `others keep overwriting what refers to ${target.name}@${subject}`,
    {
      subject: `${target.name}@${subject}`,
      hint: 'try again when fewer builds write signatures or SBOMs of the same image',
      class: 'infrastructure',
    },
  )
}

/** Artifact type (else that of the config) and annotations are copied, so that a list can be searched. */
function descriptorFor(bytes: Uint8Array, mediaType: string): Json {
  const manifest = object(parse(bytes)) ?? {}
  const type = text(manifest.artifactType) ?? text(object(manifest.config)?.mediaType)
  return {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(object(manifest.annotations) === undefined ? {} : { annotations: manifest.annotations }),
  }
}

function rawEntries(index: unknown): readonly unknown[] {
  const manifests = object(index)?.manifests
  return Array.isArray(manifests) ? manifests : []
}

function descriptorsOf(index: unknown): Descriptor[] {
  return rawEntries(index).flatMap((value) => {
    const entry = object(value)
    const { digest, mediaType, size } = entry ?? {}
    if (typeof digest !== 'string' || !isDigest(digest) || typeof mediaType !== 'string') return []
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return []
    const artifactType = text(entry?.artifactType)
    const annotations = Object.entries(object(entry?.annotations) ?? {}).filter(
      ([, note]) => typeof note === 'string',
    )
    return [
      {
        mediaType,
        digest,
        size,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations.length === 0
          ? {}
          : { annotations: Object.fromEntries(annotations) as Record<string, string> }),
      },
    ]
  })
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
