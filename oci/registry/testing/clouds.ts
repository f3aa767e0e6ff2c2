import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHttpClient } from '../../../core/http/client.ts'
import type { HttpClient } from '../../../core/http/types.ts'

/** A request to one of the clouds' services, as the emulator was sent it. */
export interface CloudRequest {
  readonly method: string
  /** The URL that the client asked for, host and all. */
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly form: URLSearchParams
  /** Whether it was to go by no proxy. */
  readonly direct: boolean
}

export interface CloudAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | object
}

/** By `METHOD host/path`. */
export type CloudServices = Readonly<Record<string, (request: CloudRequest) => CloudAnswer>>

/**
 * The services of clouds in this process, and a client whose requests all go to it, whatever host they name: by real HTTP,
 * and to nobody else. Services that are not named do not answer at all.
 */
export interface CloudEmulator extends AsyncDisposable {
  readonly http: HttpClient
  /** Every request in order. */
  readonly log: readonly CloudRequest[]
}

export async function startClouds(services: CloudServices): Promise<CloudEmulator> {
  const log: CloudRequest[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    const url = new URL(String(request.headers['x-asked']))
    const seen: CloudRequest = {
      method: request.method ?? '',
      url,
      headers: request.headers,
      body,
      form: new URLSearchParams(body),
      direct: request.headers['x-direct'] === 'true',
    }
    log.push(seen)
    const service = services[`${seen.method} ${url.host}${url.pathname}`]
    if (service === undefined) return void request.socket.destroy()
    const answer = service(seen)
    response.writeHead(answer.status ?? 200, answer.headers ?? {})
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = createHttpClient()
  return {
    log,
    http: {
      send: (request) =>
        client.send({
          ...request,
          url: `http://127.0.0.1:${port}/`,
          headers: {
            ...request.headers,
            'x-asked': request.url,
            'x-direct': String(request.direct === true),
          },
        }),
      close: () => client.close(),
    },
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await closed(server)
    },
  }
}

function closed(server: Server): Promise<unknown> {
  const end = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  return end
}
