import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHttpClient, sendFollowing } from '../../core/http/index.ts'

export interface NpmMirror extends AsyncDisposable {
  /** Ends in a slash. */
  readonly address: string
  requests(): number
}

/**
 * A mirror on loopback of an npm registry. One at a path of its own also rewrites the addresses in metadata, as products do.
 * @param upstream address of the registry
 * @param certificates that its connection needs
 * @param prefix path below which the mirror answers: `` or `/company/npm`
 */
export async function startNpmMirror(
  upstream: string,
  certificates: readonly string[],
  prefix = '',
): Promise<NpmMirror> {
  const http = createHttpClient({ certificates })
  const base = upstream.replace(/\/*$/, '/')
  let requests = 0
  let address = ''
  const forward = async (request: IncomingMessage, response: ServerResponse) => {
    requests++
    const { accept } = request.headers
    const url = base + (request.url ?? '').slice(prefix.length + 1)
    const answer = await sendFollowing(http, {
      method: 'GET',
      url,
      headers: accept === undefined ? {} : { accept },
    })
    const type = answer.headers.get('content-type') ?? ''
    response.writeHead(answer.status, { 'content-type': type })
    if (type.includes('json') && prefix !== '') {
      response.end((await answer.text(64 << 20)).replaceAll(`"${base}`, `"${address}`))
      return
    }
    for await (const chunk of answer.body) {
      if (!response.write(chunk)) await new Promise((go) => response.once('drain', go))
    }
    response.end()
  }
  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}/`
  return {
    address,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await http.close()
    },
  }
}
