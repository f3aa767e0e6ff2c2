import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createGate, type TestAuth } from './auth.ts'
import { handleContent } from './content.ts'
import { answer, complain, type Exchange, readBody, type ServerState } from './exchange.ts'
import type { Faults, RequestKind } from './faults.ts'
import { createTestStore, type TestStore } from './store.ts'
import { handleUpload } from './uploads.ts'

/**
 * A registry in this process on 127.0.0.1, for tests: the distribution API over memory, with counters, and faults that can
 * be switched while it runs. The same client suite runs against it and against a real registry.
 */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, the registry part of a reference. */
  readonly host: string
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Where blobs are redirected to, when they are. */
  readonly storageUrl: string
  /** Changed freely by a test. */
  readonly faults: Faults
  readonly store: TestStore
  /** Requests since the start or the last reset, by kind. */
  readonly requests: ReadonlyMap<RequestKind, number>
  /** Every request in order, for tests of what was asked and with what. */
  readonly log: readonly LoggedRequest[]
  /** Bytes of bodies received and sent, by kind. */
  readonly received: ReadonlyMap<RequestKind, number>
  readonly sent: ReadonlyMap<RequestKind, number>
  /** Scopes of each token request. */
  readonly askedScopes: readonly (readonly string[])[]
  resetCounters(): void
  /** Every token given out is over. */
  expireTokens(): void
  close(): Promise<void>
}

export interface LoggedRequest {
  readonly kind: RequestKind
  readonly method: string
  /** With query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

export interface TestRegistryOptions {
  readonly auth?: TestAuth
  /** PEM; https then. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Starts a test registry; `close` it, or declare it with `await using`. */
export async function startTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const store = createTestStore()
  const faults: Faults = {}
  const requests = new Map<RequestKind, number>()
  const received = new Map<RequestKind, number>()
  const sent = new Map<RequestKind, number>()
  const log: LoggedRequest[] = []
  const scheme = options.tls === undefined ? 'http' : 'https'
  const add = (counter: Map<RequestKind, number>, kind: RequestKind, count: number) =>
    counter.set(kind, (counter.get(kind) ?? 0) + count)

  const listen = async (listener: RequestListener): Promise<Server> => {
    const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return server
  }
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const origin = () => `${scheme}://127.0.0.1:${portOf(registry)}`
  const gate = createGate(options.auth ?? { kind: 'none' }, faults, origin)
  const state: ServerState = {
    store,
    faults,
    gate,
    origin,
    storage: () => `${scheme}://127.0.0.1:${portOf(storage)}`,
    countReceived: (kind, bytes) => add(received, kind, bytes),
    countSent: (kind, bytes) => add(sent, kind, bytes),
  }
  const serve =
    (isStorage: boolean): RequestListener =>
    (request, response) => {
      const exchange = open(request, response, state, isStorage)
      add(requests, exchange.kind, 1)
      log.push({
        kind: exchange.kind,
        method: request.method ?? '',
        path: exchange.url.pathname + exchange.url.search,
        headers: request.headers,
      })
      handle(exchange).catch(() => request.socket.destroy())
    }
  const registry = await listen(serve(false))
  const storage = await listen(serve(true))

  const close = async () => {
    await Promise.all(
      [registry, storage].map((server) => {
        const closed = new Promise((resolve) => server.close(resolve))
        server.closeAllConnections()
        return closed
      }),
    )
  }
  return {
    host: `127.0.0.1:${portOf(registry)}`,
    url: origin(),
    storageUrl: state.storage(),
    faults,
    store,
    requests,
    received,
    sent,
    log,
    askedScopes: gate.asked,
    resetCounters() {
      for (const counter of [requests, received, sent]) counter.clear()
      log.length = 0
      gate.asked.length = 0
    },
    expireTokens: () => gate.expireTokens(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function open(
  request: IncomingMessage,
  response: ServerResponse,
  server: ServerState,
  isStorage: boolean,
): Exchange {
  const url = new URL(request.url ?? '/', server.origin())
  const method = request.method ?? ''
  const base = { request, response, url, server }
  const other = (kind: RequestKind, name = ''): Exchange => ({ ...base, kind, repository: '', name })
  if (isStorage) return other('storage', url.pathname.slice(1))
  if (url.pathname === '/token') return other('token')
  if (url.pathname === '/v2/' || url.pathname === '/v2') return other('ping')
  const match = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(url.pathname)
  if (match === null) return other('other')
  const [, repository = '', resource = '', name = ''] = match
  return { ...base, repository, name, kind: kindOf(method, resource, url) }
}

function kindOf(method: string, resource: string, url: URL): RequestKind {
  const verb = method.toLowerCase()
  if (resource === 'tags' || resource === 'referrers') return resource
  if (resource === 'blobs/uploads') {
    if (verb === 'post') return url.searchParams.has('mount') ? 'mount' : 'upload-start'
    if (verb === 'get') return 'upload-status'
    return verb === 'patch' || verb === 'put' || verb === 'delete' ? `upload-${verb}` : 'other'
  }
  const kind = `${resource === 'blobs' ? 'blob' : 'manifest'}-${verb}`
  return KINDS.has(kind) ? (kind as RequestKind) : 'other'
}

const KINDS = new Set([
  'manifest-head',
  'manifest-get',
  'manifest-put',
  'manifest-delete',
  'blob-head',
  'blob-get',
  'blob-delete',
])

async function handle(exchange: Exchange): Promise<void> {
  const { response, server, kind } = exchange
  const { faults } = server
  if (faults.warning !== undefined) response.setHeader('warning', `299 - "${faults.warning}"`)
  const { answer: fault } = faults
  if (fault !== undefined && fault.times > 0 && (fault.kinds === undefined || fault.kinds.includes(kind))) {
    fault.times--
    answer(exchange, fault.status, fault.headers ?? {}, fault.body ?? '')
    return
  }
  if (faults.endless?.kinds.includes(kind) === true) return sendEndless(exchange, faults.endless.status)
  if (kind === 'token') return await giveToken(exchange)
  if (kind === 'storage') return handleContent(exchange)
  if (!admitted(exchange)) return
  if (kind === 'ping') return answer(exchange, 200, {}, '{}')
  if (kind.startsWith('upload-') || kind === 'mount') return await handleUpload(exchange)
  return await handleContent(exchange)
}

function sendEndless(exchange: Exchange, status: number): void {
  exchange.request.resume()
  exchange.response.writeHead(status, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' })
  const more = () => {
    while (!exchange.response.destroyed && exchange.response.write(Buffer.alloc(64 * 1024, 32))) {
      exchange.server.countSent(exchange.kind, 64 * 1024)
    }
  }
  exchange.response.on('drain', more)
  more()
}

function admitted(exchange: Exchange): boolean {
  const { kind, repository, request, server } = exchange
  const { faults, gate } = server
  const uploads = kind === 'upload-patch' || kind === 'upload-put'
  if (uploads && faults.expireDuringUpload !== undefined && faults.expireDuringUpload.times > 0) {
    faults.expireDuringUpload.times--
    gate.expireTokens()
  }
  const action =
    kind.endsWith('-delete') && kind !== 'upload-delete' ? 'delete' : writes(kind) ? 'push' : 'pull'
  const demand = gate.check(request, repository, action)
  if (demand === undefined) return true
  if (demand === 'denied') complain(exchange, 403, 'DENIED', 'requested access to the resource is denied')
  else complain(exchange, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': demand })
  return false
}

function writes(kind: RequestKind): boolean {
  return kind.startsWith('upload-') || kind === 'mount' || kind === 'manifest-put'
}

async function giveToken(exchange: Exchange): Promise<void> {
  const { request, url, server } = exchange
  const body = await readBody(exchange)
  const { status, body: token } = server.gate.token(
    request.method ?? '',
    url,
    request.headers.authorization,
    new URLSearchParams(body?.toString('utf8')),
  )
  answer(exchange, status, { 'content-type': 'application/json' }, JSON.stringify(token))
}
