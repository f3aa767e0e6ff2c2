import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { SlipwayError } from '../error.ts'
import { createHttpClient } from './client.ts'
import { safeRedirects, sendFollowing } from './redirects.ts'
import { ensureStatus } from './status.ts'
import type { HttpClient, HttpOptions } from './types.ts'

const servers: Server[] = []
const clients: HttpClient[] = []

async function serve(listener: RequestListener): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, server }
}

function client(options: HttpOptions = {}): HttpClient {
  const made = createHttpClient(options)
  clients.push(made)
  return made
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((made) => made.close()))
  await Promise.all(
    servers.splice(0).map((server) => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      return closed
    }),
  )
})

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function failure(work: Promise<unknown>): Promise<SlipwayError> {
  try {
    await work
  } catch (error) {
    if (error instanceof SlipwayError) return error
    throw error
  }
  throw new Error('it did not fail')
}

const echo: RequestListener = async (request: IncomingMessage, response: ServerResponse) => {
  const body = await bodyOf(request)
  response.setHeader('www-authenticate', ['Basic realm="a"', 'Bearer realm="b"'])
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
}

interface Echo {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

describe('createHttpClient', () => {
  it('sends bytes with a length, streams in chunks, nothing with length 0', async () => {
    const { url } = await serve(echo)
    const http = client({ userAgent: 'slipway/1.2.3' })
    const send = async (body?: Uint8Array | (() => AsyncIterable<Uint8Array>), contentLength?: number) => {
      const response = await http.send({
        method: 'POST',
        url: `${url}/a?b=c#d`,
        headers: { 'X-Own': '1' },
        ...(body === undefined ? {} : { body }),
        ...(contentLength === undefined ? {} : { contentLength }),
      })
      return (await response.json(10_000)) as Echo
    }
    async function* stream() {
      yield Buffer.from('ab')
      yield Buffer.from('cd')
    }
    expect(await send(Buffer.from('xyz'))).toMatchObject({
      url: '/a?b=c',
      body: 'xyz',
      headers: { 'content-length': '3', 'user-agent': 'slipway/1.2.3', 'x-own': '1' },
    })
    expect(await send(stream)).toMatchObject({ body: 'abcd', headers: { 'transfer-encoding': 'chunked' } })
    expect(await send(stream, 4)).toMatchObject({ body: 'abcd', headers: { 'content-length': '4' } })
    expect(await send()).toMatchObject({ body: '', headers: { 'content-length': '0' } })
  })

  it('opens eight connections to an origin at most, or as many as it is told', async () => {
    let now = 0
    let most = 0
    const { url } = await serve((_, response) => {
      most = Math.max(most, ++now)
      setTimeout(() => response.end(() => now--), 5)
    })
    for (const [options, limit] of [
      [{}, 8],
      [{ connectionsPerOrigin: 2 }, 2],
    ] as const) {
      most = 0
      const http = client(options)
      await Promise.all(
        Array.from({ length: 40 }, async () => (await http.send({ method: 'GET', url })).discard()),
      )
      expect(most).toBe(limit)
    }
  })

  it('gives headers of one name one by one', async () => {
    const { url } = await serve(echo)
    const response = await client().send({ method: 'GET', url })
    expect(response.headers.all('WWW-Authenticate')).toEqual(['Basic realm="a"', 'Bearer realm="b"'])
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="a", Bearer realm="b"')
    expect(response.headers.get('none')).toBeUndefined()
    await response.discard()
  })

  it('turns user info of a URL into a header, and shows it in no error', async () => {
    const { url, server } = await serve(echo)
    const secret = `${url.replace('//', '//user:hunter2@')}/x`
    const response = await client().send({ method: 'GET', url: secret })
    const pair = Buffer.from('user:hunter2').toString('base64')
    expect(((await response.json(10_000)) as Echo).headers.authorization).toBe(`Basic ${pair}`)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const error = await failure(client().send({ method: 'GET', url: secret }))
    expect(error).toMatchObject({ code: 'HTTP_CONNECT_FAILED', class: 'infrastructure' })
    expect(error.subject).toContain('***@')
    expect(`${error.message} ${error.subject} ${error.hint}`).not.toContain('hunter2')
  })

  it('limits what it holds', async () => {
    const { url } = await serve((_, response) => {
      response.write(Buffer.alloc(5000))
      response.end(Buffer.alloc(5000))
    })
    const http = client()
    const get = () => http.send({ method: 'GET', url })
    expect((await (await get()).bytes(10_000)).length).toBe(10_000)
    expect((await failure((await get()).bytes(9_999))).code).toBe('HTTP_BODY_TOO_LARGE')
    expect((await failure((await get()).json(10_000))).code).toBe('HTTP_BODY_INVALID')
  })

  it('tells a lost connection, a late answer, a cancelled request and a wrong URL apart', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/cut') request.socket.destroy()
      if (request.url === '/truncated') {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('abc', () => request.socket.destroy())
      }
    })
    const http = client({ timeouts: { headers: 200 } })
    const get = (path: string, signal?: AbortSignal) =>
      http.send({ method: 'GET', url: url + path, ...(signal === undefined ? {} : { signal }) })
    expect((await failure(get('/cut'))).code).toBe('HTTP_CONNECTION_LOST')
    expect((await failure((await get('/truncated')).bytes(5000))).code).toBe('HTTP_CONNECTION_LOST')
    expect((await failure(get('/never'))).code).toBe('HTTP_TIMEOUT')
    expect((await failure(get('/never', AbortSignal.timeout(50)))).code).toBe('HTTP_ABORTED')
    expect((await failure(http.send({ method: 'GET', url: 'file:///etc/passwd' }))).code).toBe(
      'HTTP_URL_INVALID',
    )
    expect((await failure(http.send({ method: 'GET', url: 'nonsense' }))).code).toBe('HTTP_URL_INVALID')
  })

  it('hands out what the body of a request fails with', async () => {
    const { url } = await serve(echo)
    const body = async function* () {
      yield Buffer.alloc(100_000)
      throw new RangeError('mine')
    }
    await expect(client().send({ method: 'PUT', url, body })).rejects.toThrow(RangeError)
  })

  it('gets an answer that comes before the body was taken', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(413, { connection: 'close' })
      response.end('too large')
    })
    let pulled = 0
    const body = async function* () {
      for (; pulled < 1000; pulled++) {
        yield Buffer.alloc(64 * 1024)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const outcome = await client()
      .send({ method: 'PUT', url, body })
      .then(
        ({ status }) => status,
        (error: SlipwayError) => error.code,
      )
    // A server that closes at once may take its answer with it; both are said clearly, and the body is not read on.
    expect([413, 'HTTP_CONNECTION_LOST']).toContain(outcome)
  })

  it('says what a status was that nobody expected', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(418)
      response.end('{"token":"hunter2"} I am  a\nteapot')
    })
    const http = client()
    const error = await failure(
      http.send({ method: 'GET', url }).then((response) => ensureStatus(response, 200)),
    )
    expect(error.code).toBe('HTTP_STATUS')
    expect(error.message).toContain('answered 418: {"token":"***"} I am a teapot')
    const response = await ensureStatus(await http.send({ method: 'GET', url }), 200, 418)
    await response.discard()
  })
})

describe('proxies', () => {
  it('go in between, except for loopback', async () => {
    const target = await serve(echo)
    const proxy = await serve((request, response) => {
      response.end(
        JSON.stringify({ proxied: request.url, authorization: request.headers['proxy-authorization'] }),
      )
    })
    proxy.server.on('connect', (request, socket) => {
      socket.on('error', () => {})
      const upstream = connect(target.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.pipe(socket)
        socket.pipe(upstream)
      })
      upstream.on('error', () => socket.destroy())
      expect(request.url).toBe('secure.example:443')
    })
    const address = proxy.url.replace('//', '//user:p%40ss@')
    const http = client({ proxy: { http: address, https: address, noProxy: 'direct.example' } })
    const direct = await http.send({ method: 'GET', url: target.url })
    expect(((await direct.json(10_000)) as Echo).url).toBe('/')
    const through = await http.send({ method: 'GET', url: 'http://plain.example:81/x?y' })
    expect(await through.json(10_000)).toEqual({
      proxied: 'http://plain.example:81/x?y',
      authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    })
    // The target is no TLS server: that the tunnel reached it is what TLS fails on.
    expect((await failure(http.send({ method: 'GET', url: 'https://secure.example/' }))).code).toBe(
      'HTTP_TLS_FAILED',
    )
  })

  it('are left out where a request must go straight', async () => {
    const target = await serve((_, response) => response.end('straight'))
    const proxy = await serve((_, response) => response.end('proxied'))
    const http = client({ proxy: { http: proxy.url } })
    // This machine under a name that is not known to be loopback.
    const url = `http://0.0.0.0:${target.port}/`
    const get = async (direct: boolean) => (await http.send({ method: 'GET', url, direct })).text(100)
    expect(await get(false)).toBe('proxied')
    expect(await get(true)).toBe('straight')
  })

  it('that refuse are named as such', async () => {
    const proxy = await serve((_, response) => response.writeHead(407).end())
    proxy.server.on('connect', (_, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    )
    const http = client({ proxy: { http: proxy.url, https: proxy.url } })
    for (const url of ['http://plain.example/', 'https://secure.example/']) {
      expect((await failure(http.send({ method: 'GET', url }))).code).toBe('HTTP_PROXY_FAILED')
    }
    const wrong = client({ proxy: { http: 'ftp://x' } })
    expect((await failure(wrong.send({ method: 'GET', url: 'http://plain.example/' }))).code).toBe(
      'HTTP_PROXY_INVALID',
    )
  })
})

describe('sendFollowing', () => {
  it('keeps credentials on their origin and drops them elsewhere', async () => {
    const elsewhere = await serve(echo)
    const { url } = await serve((request, response) => {
      if (request.url === '/here') response.writeHead(302, { location: '/there' }).end()
      else if (request.url === '/there') response.writeHead(307, { location: `${elsewhere.url}/final` }).end()
      else response.end('?')
    })
    const response = await sendFollowing(client(), {
      method: 'GET',
      url: `${url}/here`,
      headers: { authorization: 'Bearer x', accept: 'a/b' },
    })
    expect(response.url).toBe(`${elsewhere.url}/final`)
    const { headers } = (await response.json(10_000)) as Echo
    expect(headers.authorization).toBeUndefined()
    expect(headers.accept).toBe('a/b')
  })

  it('ends loops and follows nothing without Location', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/none') response.writeHead(304).end()
      else response.writeHead(302, { location: request.url }).end()
    })
    const http = client()
    expect((await failure(sendFollowing(http, { method: 'GET', url: `${url}/loop` }))).code).toBe(
      'HTTP_REDIRECT_LOOP',
    )
    expect((await sendFollowing(http, { method: 'GET', url: `${url}/none` })).status).toBe(304)
  })
})

describe('safeRedirects', () => {
  const hop =
    (from: string, to: string, asked = from) =>
    () =>
      safeRedirects({
        asked: new URL(asked),
        from: new URL(from),
        to: new URL(to),
        headers: { Authorization: 'x', Cookie: 'y', Accept: 'z' },
      })

  it('decides', () => {
    expect(hop('https://a/1', 'https://a/2')()).toEqual({ Authorization: 'x', Cookie: 'y', Accept: 'z' })
    expect(hop('https://a/1', 'https://b/2')()).toEqual({ Accept: 'z' })
    expect(hop('https://a/1', 'https://a:444/2')()).toEqual({ Accept: 'z' })
    // Back at the first origin after a detour: who sent us there is not who the credentials are for.
    expect(hop('https://b/1', 'https://a/2', 'https://a/0')()).toEqual({ Accept: 'z' })
    expect(hop('https://a/1', 'http://a/2')).toThrow(/not encrypted/)
    expect(hop('https://a/1', 'https://10.0.0.1/2')).toThrow(/private address/)
    expect(hop('https://a/1', 'https://localhost/2')).toThrow(/private address/)
    expect(hop('http://10.0.0.1/1', 'http://10.0.0.1:9000/2')()).toEqual({ Accept: 'z' })
    expect(hop('http://a/1', 'ftp://a/2')).toThrow(/not http/)
  })
})
