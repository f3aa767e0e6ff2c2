import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { goConfiguration } from './go.ts'
import { parseMavenSettings, writeMavenSettings } from './maven.ts'
import { newCertificates, splitCertificates } from './pem.ts'
import { parsePipConf, pipConfiguration, pipLevelOfEnvironment } from './pip.ts'
import { proxyOfEnvironment } from './proxy.ts'
import { parseXml } from './xml.ts'

describe('pip', () => {
  it('reads continuation lines, both separators and the sections of install', () => {
    const level = parsePipConf(
      '[global]\n# note\nextra-index-url:\n  https://a.example/simple\n  https://b.example/simple\n[install]\nindex_url = https://c.example/\n[list]\nindex-url = https://no.example/\n',
    )
    expect(pipConfiguration(level).settings).toMatchObject({
      indexUrl: 'https://c.example/',
      extraIndexUrls: ['https://a.example/simple', 'https://b.example/simple'],
    })
  })

  it('leaves local directories behind, and with them the ban on the index that they were to replace', () => {
    const level = pipLevelOfEnvironment({
      PIP_FIND_LINKS: '/opt/wheels',
      PIP_NO_INDEX: '1',
      PIP_CERT: '/ca.pem',
    })
    expect(pipConfiguration(level)).toMatchObject({ settings: undefined, caFile: '/ca.pem' })
  })

  it("takes uv's names where pip's are not set", () => {
    const level = pipLevelOfEnvironment({
      UV_DEFAULT_INDEX: 'https://uv.example/',
      UV_EXTRA_INDEX_URL: 'https://x.example/',
    })
    expect(pipConfiguration(level).settings).toMatchObject({ indexUrl: 'https://uv.example/' })
  })
})

describe('go', () => {
  it.each([
    [{ GOPROXY: 'https://a.example|file:///mod,off' }, { GOPROXY: 'https://a.example/,off' }],
    [
      { GOSUMDB: 'off', GONOSUMDB: '*.corp.example' },
      { GOSUMDB: 'off', GONOSUMDB: '*.corp.example' },
    ],
    [{ GOPRIVATE: 'a b; rm' }, undefined],
    [{}, undefined],
  ])('%o', (env, variables) => {
    expect(goConfiguration(env).settings?.variables).toEqual(variables)
  })
})

describe('maven', () => {
  const text = `<?xml version="1.0"?><settings xmlns="x" xsi:y='>'>
    <!-- <mirrors><mirror><url>https://comment.example/</url></mirror></mirrors> -->
    <mirrors><mirror><id>a&amp;b</id><url>\${env.MIRROR}/maven</url><mirrorOf><![CDATA[*,!x]]></mirrorOf></mirror></mirrors>
    <profiles>
      <profile><id>on</id><repositories><repository><id>r</id><url>https://r.example/</url></repository></repositories></profile>
      <profile><id>off</id><repositories><repository><id>s</id><url>https://s.example/</url></repository></repositories></profile>
    </profiles>
    <activeProfiles><activeProfile>on</activeProfile></activeProfiles>
    <proxies><proxy><active>true</active><host>p.example</host><port>3128</port><nonProxyHosts>*.corp|localhost</nonProxyHosts></proxy></proxies>
  </settings>`

  it('reads mirrors, active repositories and proxies', () => {
    const { settings, proxy } = parseMavenSettings(text, { MIRROR: 'https://mirror.example' })
    expect(settings).toEqual({
      mirrors: [{ id: 'a&b', url: 'https://mirror.example/maven', mirrorOf: '*,!x' }],
      profiles: [
        { id: 'on', repositories: [{ id: 'r', url: 'https://r.example/' }], pluginRepositories: [] },
      ],
    })
    expect(proxy).toEqual({
      http: 'http://p.example:3128/',
      https: 'http://p.example:3128/',
      noProxy: '.corp,localhost',
    })
  })

  it('writes what it reads', () => {
    const { settings, credentials } = parseMavenSettings(text, { MIRROR: 'https://mirror.example' })
    if (settings === undefined) throw new Error('no settings')
    expect(parseMavenSettings(writeMavenSettings(settings, credentials), {}).settings).toEqual(settings)
  })

  it('reads any text without failing, also deeply nested ones', () => {
    const piece = fc.constantFrom(
      '<a>',
      '</a>',
      '<b/>',
      '<',
      '>',
      '&amp;',
      '&#x110000;',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      'x',
    )
    fc.assert(fc.property(fc.array(piece), (pieces) => void parseXml(pieces.join(''))))
    expect(parseXml('<a>'.repeat(100_000))).toHaveLength(1)
  })
})

describe('proxyOfEnvironment', () => {
  it('prefers lower case, reads bare hosts as http and takes logins apart', () => {
    expect(
      proxyOfEnvironment({
        HTTP_PROXY: 'http://no.example',
        http_proxy: 'u:p@proxy.example:8080',
        ALL_PROXY: 'http://all.example',
      }),
    ).toEqual({
      proxy: { http: 'http://proxy.example:8080/', https: 'http://all.example/' },
      credentials: { urls: { 'http://proxy.example:8080/': 'http://u:p@proxy.example:8080/' } },
    })
  })
})

describe('certificates', () => {
  it('come in one form, without keys and duplicates', () => {
    const body = 'A'.repeat(70)
    const wrapped = `-----BEGIN CERTIFICATE-----\r\n${body.slice(0, 10)}\r\n${body.slice(10)}\r\n-----END CERTIFICATE-----`
    const key = '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----'
    const found = splitCertificates(`${key}\n${wrapped}\n${wrapped}`)
    expect(newCertificates(found, [])).toEqual([
      `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\n${'A'.repeat(6)}\n-----END CERTIFICATE-----\n`,
    ])
    expect(newCertificates(found, [wrapped])).toEqual([])
  })
})
