import { setTimeout as sleep } from 'node:timers/promises'
import { answer, complain, type Exchange, readBody } from './exchange.ts'
import { sha256, type TestUpload } from './store.ts'

/** Uploads and mounts of a test registry. */
export async function handleUpload(exchange: Exchange): Promise<void> {
  if (exchange.kind === 'mount') return await mount(exchange)
  if (exchange.kind === 'upload-start') return await opened(exchange)
  const upload = exchange.server.store.uploads.get(exchange.name)
  if (upload === undefined || upload.repository !== exchange.repository) {
    exchange.request.resume()
    return complain(exchange, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
  }
  switch (exchange.kind) {
    case 'upload-patch':
      return await patch(exchange, upload)
    case 'upload-put':
      return await put(exchange, upload)
    case 'upload-delete':
      exchange.server.store.uploads.delete(upload.id)
      return answer(exchange, 204, {})
    default:
      return answer(exchange, 204, { location: location(exchange, upload), range: rangeOf(exchange, upload) })
  }
}

async function mount(exchange: Exchange): Promise<void> {
  const { server, url } = exchange
  const digest = url.searchParams.get('mount') ?? ''
  const from = url.searchParams.get('from')
  if (server.faults.refuseMounts === 'error' || from === null) {
    return complain(exchange, 400, 'UNSUPPORTED', 'mounts are not supported')
  }
  const bytes = server.store.repositories.get(from)?.blobs.get(digest)
  const readable = server.gate.check(exchange.request, from, 'pull') === undefined
  if (bytes === undefined || !readable || server.faults.refuseMounts === 'upload')
    return await opened(exchange)
  server.store.repository(exchange.repository).blobs.set(digest, bytes)
  answer(exchange, 201, {
    location: `/v2/${exchange.repository}/blobs/${digest}`,
    'docker-content-digest': digest,
  })
}

async function opened(exchange: Exchange): Promise<void> {
  const upload = exchange.server.store.startUpload(exchange.repository)
  const { leastPiece } = exchange.server.faults
  answer(exchange, 202, {
    location: location(exchange, upload),
    range: '0-0',
    'docker-upload-uuid': upload.id,
    ...(leastPiece === undefined ? {} : { 'oci-chunk-min-length': String(leastPiece) }),
  })
}

async function patch(exchange: Exchange, upload: TestUpload): Promise<void> {
  const { faults } = exchange.server
  const { headers } = exchange.request
  if (faults.lengthRequired === true && headers['content-length'] === undefined) {
    return complain(exchange, 411, 'SIZE_INVALID', 'length required')
  }
  const range = /^(\d+)-(\d+)$/.exec(headers['content-range'] ?? '')
  if (headers['content-range'] !== undefined && (range === null || Number(range[1]) !== upload.size)) {
    exchange.request.resume()
    return unsatisfied(exchange, upload)
  }
  if (range !== null && wrongSize(exchange, upload, Number(range[2]) - Number(range[1]) + 1)) {
    exchange.request.resume()
    return unsatisfied(exchange, upload)
  }
  const early = faults.acceptEarly
  if (early !== undefined && early.times > 0) {
    early.times--
    return await acceptEarly(exchange, upload, early.afterBytes)
  }
  if (!(await receive(exchange, upload))) return
  upload.firstSize ??= upload.size
  answer(exchange, faults.patchStatus ?? 202, {
    location: location(exchange, upload),
    range: rangeOf(exchange, upload),
  })
}

function unsatisfied(exchange: Exchange, upload: TestUpload): void {
  answer(exchange, 416, { location: location(exchange, upload), range: rangeOf(exchange, upload) })
}

/** Too large a piece, or one after a piece that was too small. */
function wrongSize({ server }: Exchange, upload: TestUpload, size: number): boolean {
  const { leastPiece, pieceLimit } = server.faults
  const afterSmall = leastPiece !== undefined && upload.size % leastPiece !== 0
  return afterSmall || (pieceLimit !== undefined && size > pieceLimit)
}

async function acceptEarly(exchange: Exchange, upload: TestUpload, afterBytes: number): Promise<void> {
  await new Promise<void>((resolve) => {
    exchange.request.on('data', (chunk: Buffer) => {
      if (upload.size >= afterBytes) return
      upload.chunks.push(chunk)
      upload.size += chunk.length
      if (upload.size >= afterBytes) resolve()
    })
  })
  answer(exchange, 202, { location: location(exchange, upload), range: rangeOf(exchange, upload) })
}

async function put(exchange: Exchange, upload: TestUpload): Promise<void> {
  const { server, url } = exchange
  // The state that the last Location carried must have survived.
  if (url.searchParams.get('_state') !== stateOf(upload)) {
    exchange.request.resume()
    return complain(exchange, 400, 'BLOB_UPLOAD_INVALID', 'the state of the upload was lost')
  }
  if (!(await receive(exchange, upload))) return
  const bytes = Buffer.concat(upload.chunks)
  const digest = sha256(bytes)
  if (url.searchParams.get('digest') !== digest) {
    return complain(exchange, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
  }
  if (server.faults.slowCommit !== undefined) await sleep(server.faults.slowCommit)
  server.store.uploads.delete(upload.id)
  server.store.repository(exchange.repository).blobs.set(digest, bytes)
  answer(exchange, 201, {
    location: `/v2/${exchange.repository}/blobs/${digest}`,
    'docker-content-digest': server.faults.wrongDigestHeader === true ? sha256(Buffer.from('other')) : digest,
  })
}

/** Takes the body into the upload; what arrived before a cut stays, as with real registries. False after a cut. */
async function receive(exchange: Exchange, upload: TestUpload): Promise<boolean> {
  const { faults } = exchange.server
  const length = Number(exchange.request.headers['content-length'] ?? 0)
  if (faults.bodyLimit !== undefined && length > faults.bodyLimit) {
    exchange.request.resume()
    complain(exchange, 413, 'SIZE_INVALID', 'request entity too large')
    return false
  }
  const expects = length > 0 || exchange.request.headers['transfer-encoding'] !== undefined
  const body = await readBody(exchange, expects ? faults.cutUpload : undefined, (chunk) => {
    upload.chunks.push(chunk)
    upload.size += chunk.length
  })
  return body !== undefined
}

function rangeOf(exchange: Exchange, upload: TestUpload): string {
  const size = exchange.server.faults.staleRange === true ? (upload.firstSize ?? upload.size) : upload.size
  return `0-${Math.max(size - 1, 0)}`
}

/** Changes with every step, as the `_state` of distribution does. */
function stateOf(upload: TestUpload): string {
  return `${upload.size}+/=&`
}

function location(exchange: Exchange, upload: TestUpload): string {
  const { faults, origin } = exchange.server
  const form = faults.location ?? 'path'
  if (typeof form === 'object') return form.text
  const query = `?_state=${encodeURIComponent(stateOf(upload))}`
  const path = `/v2/${upload.repository}/blobs/uploads/${upload.id}`
  if (form === 'absolute') return `${faults.publicUrl ?? origin()}${path}${query}`
  // Relative to the request: `…/blobs/uploads/` or `…/blobs/uploads/<id>`.
  return form === 'relative' ? `${upload.id}${query}` : path + query
}
