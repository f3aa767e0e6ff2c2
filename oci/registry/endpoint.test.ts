import { describe, expect, it } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../core/http/types.ts'
import { endpoints, findEndpoint, isInsecure, mayBePlain } from './endpoint.ts'
import { checkRealm } from './tokens.ts'

describe('endpoints', () => {
  it.each([
    ['localhost:5000', true],
    ['localhost', true],
    ['a.localhost:1', true],
    ['127.0.0.1', true],
    ['127.1.2.3:80', true],
    ['[::1]:5000', true],
    ['10.0.0.1:5000', true],
    ['192.168.0.1', true],
    ['172.15.0.1', false],
    ['[fd00::1]:5000', false],
    ['registry.local:5000', false],
    ['localhost.example', false],
    ['8.8.8.8:5000', false],
  ])('%s may be plain: %s', (registry, plain) => {
    expect(mayBePlain(registry)).toBe(plain)
    expect(endpoints(registry, false).map(({ origin }) => origin.protocol)).toEqual(
      plain ? ['https:', 'http:'] : ['https:'],
    )
    expect(endpoints(registry, true)).toHaveLength(2)
  })

  it('takes whole parts of a name for insecure', () => {
    expect(isInsecure('r.example:5000', 'a/b', ['r.example:5000'])).toBe(true)
    expect(isInsecure('R.example', 'a/b', ['http://r.example/'])).toBe(true)
    expect(isInsecure('r.example', 'a/b', ['r.example/a'])).toBe(true)
    expect(isInsecure('r.example', 'ab/c', ['r.example/a'])).toBe(false)
    expect(isInsecure('r.example.evil', 'a', ['r.example'])).toBe(false)
    expect(isInsecure('r.example:5000', 'a', ['r.example'])).toBe(false)
    expect(isInsecure('r.example', 'a', ['', '/'])).toBe(false)
  })
})

const response = (status: number, url: string): HttpResponse => ({
  status,
  url,
  headers: { get: () => undefined, all: () => [] },
  body: (async function* () {})(),
  bytes: async () => new Uint8Array(),
  text: async () => '',
  json: async () => null,
  discard: async () => {},
})

type Behaviour = number | SlipwayError | 'silent'

function host(https: Behaviour, http: Behaviour): HttpClient {
  return {
    close: async () => {},
    send: async (request: HttpRequest) => {
      const behaviour = request.url.startsWith('https:') ? https : http
      if (behaviour instanceof SlipwayError) throw behaviour
      if (typeof behaviour === 'number') return response(behaviour, request.url)
      return await new Promise((_, reject) => {
        request.signal?.addEventListener('abort', () => reject(new SlipwayError('HTTP_ABORTED', 'gone')))
      })
    },
  }
}

describe('findEndpoint', () => {
  const tls = new SlipwayError('HTTP_TLS_FAILED', 'certificate')
  const refused = new SlipwayError('HTTP_CONNECT_FAILED', 'refused')
  const find = async (https: Behaviour, http: Behaviour) => {
    const candidates = endpoints('127.0.0.1:1', false)
    const found = await findEndpoint(host(https, http), candidates, ({ origin }) => ({
      method: 'GET',
      url: origin.href,
    }))
    return found.endpoint.origin.protocol
  }

  it('prefers https, falls back to http', async () => {
    expect(await find(200, 200)).toBe('https:')
    expect(await find(401, 'silent')).toBe('https:')
    expect(await find(tls, 200)).toBe('http:')
    expect(await find('silent', 401)).toBe('http:')
  })

  it('says why neither works, and is not misled by the 400 of a TLS server', async () => {
    await expect(find(tls, 400)).rejects.toBe(tls)
    await expect(find(refused, refused)).rejects.toBe(refused)
  })
})

describe('checkRealm', () => {
  const https = { origin: new URL('https://r.example'), insecureTls: false }
  const plain = { origin: new URL('http://127.0.0.1:5000'), insecureTls: false }
  it('lets credentials go to encrypted places, or to the registry itself', () => {
    expect(checkRealm('https://auth.example/token', https).href).toBe('https://auth.example/token')
    expect(checkRealm('http://127.0.0.1:5001/token', plain).port).toBe('5001')
    for (const realm of [
      'http://auth.example/t',
      'http://r.example/t',
      'https://10.0.0.1/t',
      'https://a:b@r.example/t',
      'x',
    ]) {
      expect(() => checkRealm(realm, https)).toThrow(expect.objectContaining({ code: 'OCI_REALM_REFUSED' }))
    }
  })
})
