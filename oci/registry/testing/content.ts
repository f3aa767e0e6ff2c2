import { randomUUID } from 'node:crypto'
import { answer, complain, type Exchange, readBody } from './exchange.ts'
import { type StoredContent, sha256, type TestRepository } from './store.ts'

/** Manifests, blobs and tags of a test registry. */
export async function handleContent(exchange: Exchange): Promise<void> {
  const repository = exchange.server.store.repositories.get(exchange.repository)
  switch (exchange.kind) {
    case 'storage':
      return fromStorage(exchange)
    case 'manifest-put':
      return await putManifest(exchange)
    case 'manifest-get':
    case 'manifest-head':
      return getManifest(exchange, repository)
    case 'manifest-delete':
      return deleteManifest(exchange, repository)
    case 'blob-get':
    case 'blob-head':
      return getBlob(exchange, repository)
    case 'blob-delete': {
      if (repository?.blobs.delete(exchange.name) === true) return answer(exchange, 202, {})
      return complain(exchange, 404, 'BLOB_UNKNOWN', 'blob unknown to registry')
    }
    case 'referrers':
      return listReferrers(exchange, repository)
    case 'tags':
      return listTags(exchange, repository)
    default:
      return complain(exchange, 404, 'UNSUPPORTED', 'no such resource')
  }
}

async function putManifest(exchange: Exchange): Promise<void> {
  const { request, name, server } = exchange
  if (request.headers['content-length'] === undefined)
    return complain(exchange, 411, 'SIZE_INVALID', 'length required')
  const bytes = await readBody(exchange)
  if (bytes === undefined) return
  if (bytes.length > 4 * 1024 * 1024) return complain(exchange, 413, 'MANIFEST_INVALID', 'too large')
  const digest = sha256(bytes)
  const repository = server.store.repository(exchange.repository)
  const missing = missingContent(bytes, repository)
  if (missing !== undefined)
    return complain(exchange, 400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown: ${missing}`)
  if (name.includes(':') && name !== digest)
    return complain(exchange, 400, 'DIGEST_INVALID', 'digest does not match')
  const condition = request.headers['if-match']
  const { conditional = false } = server.faults
  if (conditional !== false && condition !== undefined) {
    const holds = conditional === true && condition === `"${repository.tags.get(name)}"`
    if (!holds) return complain(exchange, 412, 'DENIED', 'changed')
  }
  repository.manifests.set(digest, { bytes, mediaType: request.headers['content-type'] ?? '' })
  const more = server.faults.tagParameters === true ? exchange.url.searchParams.getAll('tag') : []
  for (const tag of name.includes(':') ? more : [name]) repository.tags.set(tag, digest)
  const { subject } = JSON.parse(bytes.toString('utf8')) as { subject?: { digest: string } }
  const noted =
    server.faults.referrers === true && subject !== undefined ? { 'oci-subject': subject.digest } : {}
  answer(exchange, 201, {
    ...noted,
    ...(more.length > 0 ? { 'oci-tag': more.join(', ') } : {}),
    location: `/v2/${exchange.repository}/manifests/${digest}`,
    'docker-content-digest': server.faults.wrongDigestHeader === true ? sha256(Buffer.from('other')) : digest,
  })
}

/** The first blob or manifest that is named and not there, as real registries check it. */
function missingContent(bytes: Buffer, repository: TestRepository): string | undefined {
  const parsed = JSON.parse(bytes.toString('utf8')) as {
    config?: { digest: string }
    layers?: { digest: string; urls?: string[] }[]
    manifests?: { digest: string }[]
  }
  const blobs = [parsed.config, ...(parsed.layers ?? [])].filter(
    (entry) => entry !== undefined && !('urls' in entry && entry.urls !== undefined),
  )
  return (
    blobs.find((entry) => entry !== undefined && !repository.blobs.has(entry.digest))?.digest ??
    parsed.manifests?.find((entry) => !repository.manifests.has(entry.digest))?.digest
  )
}

function findManifest(repository: TestRepository | undefined, name: string): StoredContent | undefined {
  return repository?.manifests.get(name.includes(':') ? name : (repository.tags.get(name) ?? ''))
}

async function getManifest(exchange: Exchange, repository: TestRepository | undefined): Promise<void> {
  const { faults } = exchange.server
  const manifest = findManifest(repository, exchange.name)
  if (manifest === undefined) {
    return complain(
      exchange,
      404,
      repository === undefined ? 'NAME_UNKNOWN' : 'MANIFEST_UNKNOWN',
      'manifest unknown',
    )
  }
  const digest = sha256(manifest.bytes)
  const bytes = faults.corruptBodies === true ? corrupted(manifest.bytes) : manifest.bytes
  const headers = {
    'content-type': manifest.mediaType,
    'docker-content-digest': faults.wrongDigestHeader === true ? sha256(Buffer.from('other')) : digest,
    ...(faults.conditional !== undefined && faults.conditional !== false ? { etag: `"${digest}"` } : {}),
  }
  if (exchange.kind === 'manifest-head' && faults.wrongHeadLength === true) {
    exchange.response.writeHead(200, { ...headers, 'content-length': String(bytes.length + 7) })
    exchange.response.end()
  } else if (exchange.kind === 'manifest-get' && faults.chunkedManifests === true) {
    exchange.response.writeHead(200, headers)
    exchange.response.end(bytes)
  } else answer(exchange, 200, headers, bytes)
}

async function deleteManifest(exchange: Exchange, repository: TestRepository | undefined): Promise<void> {
  const { name } = exchange
  const found = name.includes(':') ? repository?.manifests.delete(name) : repository?.tags.delete(name)
  if (repository === undefined || found !== true)
    return complain(exchange, 404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  for (const [tag, digest] of repository.tags) if (digest === name) repository.tags.delete(tag)
  answer(exchange, 202, {})
}

async function getBlob(exchange: Exchange, repository: TestRepository | undefined): Promise<void> {
  const { faults, storage } = exchange.server
  const bytes = repository?.blobs.get(exchange.name)
  if (bytes === undefined) return complain(exchange, 404, 'BLOB_UNKNOWN', 'blob unknown to registry')
  if (exchange.kind === 'blob-get' && (faults.redirectTo !== undefined || faults.redirectBlobs === true)) {
    const location = faults.redirectTo ?? `${storage()}/${exchange.repository}/${exchange.name}?signature=abc`
    return answer(exchange, 307, { location })
  }
  await sendBlob(exchange, bytes)
}

/** Object storages refuse a request that brings credentials besides its signature. */
async function fromStorage(exchange: Exchange): Promise<void> {
  if (exchange.request.headers.authorization !== undefined)
    return answer(exchange, 400, {}, '<Error>InvalidArgument</Error>')
  const slash = exchange.name.lastIndexOf('/')
  const repository = exchange.server.store.repositories.get(exchange.name.slice(0, slash))
  const bytes = repository?.blobs.get(exchange.name.slice(slash + 1))
  if (bytes === undefined) return answer(exchange, 404, {}, '<Error>NoSuchKey</Error>')
  await sendBlob(exchange, bytes)
}

async function sendBlob(exchange: Exchange, stored: Buffer): Promise<void> {
  const { faults } = exchange.server
  const bytes = faults.corruptBodies === true ? corrupted(stored) : stored
  const start = Number(/^bytes=(\d+)-$/.exec(exchange.request.headers.range ?? '')?.[1] ?? 0)
  const ranged = start > 0 && faults.ignoreRanges !== true
  if (ranged && start >= bytes.length) {
    return answer(exchange, 416, { 'content-range': `bytes */${bytes.length}` })
  }
  const part = ranged ? bytes.subarray(start) : bytes
  const headers = {
    'content-type': 'application/octet-stream',
    ...(ranged ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
  }
  const cut = exchange.request.method === 'GET' ? faults.cutDownload : undefined
  if (cut === undefined || cut.times <= 0 || part.length <= cut.afterBytes) {
    return answer(exchange, ranged ? 206 : 200, headers, part)
  }
  cut.times--
  const framing = cut.unframed === true ? { connection: 'close' } : { 'content-length': String(part.length) }
  if (cut.unframed === true) exchange.response.useChunkedEncodingByDefault = false
  exchange.response.writeHead(ranged ? 206 : 200, { ...headers, ...framing })
  if (cut.unframed === true) return void exchange.response.end(part.subarray(0, cut.afterBytes))
  exchange.response.write(part.subarray(0, cut.afterBytes), () => exchange.request.socket.destroy())
}

function corrupted(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = copy.length - 1
  // A space at the end keeps JSON readable: only the digest tells.
  copy[at] = copy[at] === 0x7d ? 0x20 : (copy[at] ?? 0) ^ 1
  return copy
}

async function listTags(exchange: Exchange, repository: TestRepository | undefined): Promise<void> {
  if (repository === undefined) return complain(exchange, 404, 'NAME_UNKNOWN', 'repository unknown')
  const { searchParams } = exchange.url
  const all = [...repository.tags.keys()].sort()
  const last = searchParams.get('last')
  const rest = last === null ? all : all.filter((tag) => tag > last)
  const count = Math.min(Number(searchParams.get('n') ?? rest.length), PAGE)
  const tags = rest.slice(0, count)
  const endless = exchange.server.faults.endlessPages === true
  const more = endless || tags.length < rest.length
  const next = `</v2/${exchange.repository}/tags/list?page=${endless ? randomUUID() : ''}&n=${count}&last=${tags.at(-1) ?? ''}>; rel="next"`
  answer(
    exchange,
    200,
    { 'content-type': 'application/json', ...(more ? { link: next } : {}) },
    JSON.stringify({ name: exchange.repository, tags }),
  )
}

async function listReferrers(exchange: Exchange, repository: TestRepository | undefined): Promise<void> {
  if (exchange.server.faults.referrers !== true) return answer(exchange, 404, {}, '404 page not found')
  const all = [...(repository?.manifests ?? [])].flatMap(([digest, { bytes, mediaType }]) => {
    const manifest = JSON.parse(bytes.toString('utf8')) as {
      subject?: { digest: string }
      artifactType?: string
      annotations?: object
    }
    const { artifactType, annotations } = manifest
    if (manifest.subject?.digest !== exchange.name) return []
    return [{ mediaType, digest, size: bytes.length, artifactType, annotations }]
  })
  const start = Number(exchange.url.searchParams.get('start') ?? 0)
  const next = `<${exchange.url.pathname}?start=${start + 2}>; rel="next"`
  answer(
    exchange,
    200,
    {
      'content-type': 'application/vnd.oci.image.index.v1+json',
      ...(exchange.server.faults.endlessPages === true || start + 2 < all.length ? { link: next } : {}),
    },
    JSON.stringify({ schemaVersion: 2, manifests: all.slice(start, start + 2) }),
  )
}

/** Small, so that paging is always tried. */
const PAGE = 50
