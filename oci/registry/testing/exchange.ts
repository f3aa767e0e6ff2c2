import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gate } from './auth.ts'
import type { Faults, RequestKind } from './faults.ts'
import type { TestStore } from './store.ts'

/** One request as its handlers see it. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly kind: RequestKind
  readonly repository: string
  /** What follows `blobs/`, `manifests/` or `blobs/uploads/`. */
  readonly name: string
  readonly server: ServerState
}

export interface ServerState {
  readonly store: TestStore
  readonly faults: Faults
  readonly gate: Gate
  /** Origin of the registry, and of the storage that blobs may be redirected to. */
  origin(): string
  storage(): string
  countReceived(kind: RequestKind, bytes: number): void
  countSent(kind: RequestKind, bytes: number): void
}

/** The whole body, or undefined when the connection was cut (by the other side, or as a fault asks). */
export async function readBody(
  exchange: Exchange,
  cut?: Faults['cutUpload'],
  keep?: (chunk: Buffer) => void,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  const skipped = cut?.skip !== undefined && cut.skip > 0
  if (skipped) cut.skip = (cut.skip ?? 0) - 1
  const cutting = cut !== undefined && !skipped && cut.times > 0
  if (cutting) cut.times--
  try {
    for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
      size += chunk.length
      exchange.server.countReceived(exchange.kind, chunk.length)
      if (cutting && size > cut.afterBytes) {
        exchange.request.socket.destroy()
        return undefined
      }
      chunks.push(chunk)
      keep?.(chunk)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

export function answer(
  exchange: Exchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer = '',
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const { response, request } = exchange
  const bodiless = request.method === 'HEAD' || status === 204
  response.writeHead(status, {
    ...(status === 204 ? {} : { 'content-length': String(bytes.length) }),
    ...headers,
  })
  if (!bodiless) exchange.server.countSent(exchange.kind, bytes.length)
  response.end(bodiless ? undefined : bytes)
}

export function complain(
  exchange: Exchange,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ errors: [{ code, message, detail: null }] })
  answer(exchange, status, { 'content-type': 'application/json', ...headers }, body)
}
