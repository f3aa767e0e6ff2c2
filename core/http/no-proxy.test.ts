import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLoopback, isPrivateAddress, isRfc1918, proxySelector } from './no-proxy.ts'
import { GO_ANSWERS, GO_URLS } from './testing/no-proxy-of-go.ts'

const proxied = (noProxy: string, url: string) =>
  proxySelector({ http: 'http://proxy:1', https: 'http://proxy:2', noProxy })(new URL(url)) !== undefined

describe('NO_PROXY as Go reads it', () => {
  it.each([
    ['', 'https://example.com/', true],
    ['*', 'https://example.com/', false],
    ['example.com', 'https://example.com/', false],
    ['example.com', 'https://sub.example.com/', false],
    ['example.com', 'https://notexample.com/', true],
    ['.example.com', 'https://example.com/', true],
    ['.example.com', 'https://sub.example.com/', false],
    ['*.example.com', 'https://sub.example.com/', false],
    ['*.example.com', 'https://example.com/', true],
    ['EXAMPLE.com', 'https://Example.COM/', false],
    ['example.com:443', 'https://example.com/', false],
    ['example.com:8443', 'https://example.com/', true],
    ['example.com:8443', 'https://example.com:8443/', false],
    ['other.org , example.com', 'https://example.com/', false],
    ['10.0.0.0/8', 'http://10.1.2.3/', false],
    ['10.0.0.0/8', 'http://11.1.2.3/', true],
    ['10.0.0.0/8', 'http://ten.example/', true],
    ['10.1.2.3', 'http://10.1.2.3:80/', false],
    ['10.1.2.3:81', 'http://10.1.2.3/', true],
    ['fd00::/8', 'http://[fd00::1]/', false],
    ['[fd00::1]:80', 'http://[fd00::1]/', false],
    ['[fd00::1]:81', 'http://[fd00::1]/', true],
    ['fd00::1', 'http://[fd00::1]/', false],
    [':80', 'http://example.com/', true],
    [',,', 'http://example.com/', true],
    ['10.0.0.0/99', 'http://10.1.2.3/', true],
    // Loopback is never proxied, whatever is said.
    ['', 'http://localhost:5000/', false],
    ['', 'http://127.0.0.1:5000/', false],
    ['', 'http://127.9.9.9/', false],
    ['', 'http://[::1]:5000/', false],
    ['', 'http://registry.localhost/', false],
  ])('%j: %s goes through the proxy: %s', (noProxy, url, expected) => {
    expect(proxied(noProxy, url)).toBe(expected)
  })

  it.each(Object.entries(GO_ANSWERS))('%j, as Go answered', (noProxy, answers) => {
    expect(GO_URLS.map((url) => (proxied(noProxy, url) ? 'p' : '-')).join('')).toBe(answers)
  })

  it('a list exempts what one of its entries does, however it is written', () => {
    const entry = fc.constantFrom(...Object.keys(GO_ANSWERS))
    const padding = fc.constantFrom('', ' ', '\t', ' ,')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(padding, entry, padding), { maxLength: 6 }),
        fc.constantFrom(...GO_URLS),
        (list, url) => {
          const text = list.map((parts) => parts.join('')).join(',')
          const exempt = list.some(([, one]) => GO_ANSWERS[one]?.[GO_URLS.indexOf(url)] === '-')
          // A list of nothing exempts what an empty entry does.
          expect(proxied(text, url)).toBe(!exempt && proxied('', url))
        },
      ),
    )
  })

  it('goes beyond Go where it is plain what was meant', () => {
    expect(proxied('[fd00::1]', 'http://[fd00::1]/')).toBe(false)
    expect(proxied('', 'http://registry.localhost/')).toBe(false)
  })

  it('takes the proxy of the scheme, and http for one without scheme', () => {
    const select = proxySelector({ http: 'proxy.example:3128', https: 'https://secure.example' })
    expect(select(new URL('http://a.example/'))).toBe('http://proxy.example:3128')
    expect(select(new URL('https://a.example/'))).toBe('https://secure.example')
    expect(proxySelector({ http: ' ' })(new URL('http://a.example/'))).toBeUndefined()
    expect(proxySelector({ http: 'x' })(new URL('https://a.example/'))).toBeUndefined()
  })

  it('never throws on what people write', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'10.:/*[],a') })), (noProxy) => {
        proxied(noProxy, 'http://10.1.1.1/')
        expect(proxied(`${noProxy},*`, 'http://10.1.1.1/')).toBe(false)
      }),
    )
  })
})

describe('addresses', () => {
  it.each([
    ['localhost', true, true, false],
    ['a.localhost', true, true, false],
    ['127.0.0.1', true, true, false],
    ['[::1]', true, true, false],
    ['::ffff:127.0.0.1', true, true, false],
    ['10.0.0.1', false, true, true],
    ['172.16.0.1', false, true, true],
    ['172.32.0.1', false, false, false],
    ['192.168.1.1', false, true, true],
    ['::ffff:10.0.0.1', false, true, false],
    ['169.254.169.254', false, true, false],
    ['fe80::1', false, true, false],
    ['fd12::1', false, true, false],
    ['0.0.0.0', false, true, false],
    ['8.8.8.8', false, false, false],
    ['localhost.example', false, false, false],
    ['10.example', false, false, false],
  ])('%s', (host, loopback, isPrivate, rfc1918) => {
    expect([isLoopback(host), isPrivateAddress(host), isRfc1918(host)]).toEqual([
      loopback,
      isPrivate,
      rfc1918,
    ])
  })
})
