import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aptConfiguration } from './apt.ts'
import { fromBindings, toBindings } from './bindings.ts'
import { goConfiguration } from './go.ts'
import { parseMavenSettings } from './maven.ts'
import { npmConfiguration, npmLevelOfEnvironment, parseNpmrc } from './npmrc.ts'
import { parsePipConf, pipConfiguration, pipLevelOfEnvironment } from './pip.ts'
import { proxyOfEnvironment } from './proxy.ts'
import { mergeCredentials, NO_CREDENTIALS, type RegistryAccess } from './settings.ts'

/** Everything a machine may say, with `user` and `secret` in every place that can hold them. */
function everything(user: string, secret: string): RegistryAccess {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(secret)}@`
  const address = (host: string) =>
    `https://${login}${host}.example/path/?token=${encodeURIComponent(secret)}#${encodeURIComponent(secret)}`
  const npmText = [
    `registry=${address('npm')}`,
    `@team:registry=${address('team')}`,
    `//npm.example/path/:_authToken=${JSON.stringify(secret)}`,
    `//team.example/:_auth=${Buffer.from(`${user}:${secret}`).toString('base64')}`,
    `//third.example/:username=${JSON.stringify(user)}`,
    `//third.example/:_password=${Buffer.from(secret).toString('base64')}`,
    `_authToken=${JSON.stringify(secret)}`,
    `strict-ssl=${JSON.stringify(secret)}`,
    `key=${JSON.stringify(secret)}`,
    `unknown-option=${JSON.stringify(secret)}`,
    `proxy=${address('proxy')}`,
  ].join('\n')
  const npm = npmConfiguration(npmLevelOfEnvironment({ npm_config__auth: secret }), parseNpmrc(npmText, {}))
  const pip = pipConfiguration(
    pipLevelOfEnvironment({
      PIP_EXTRA_INDEX_URL: `${address('one')} ${address('two')}`,
      PIP_PASSWORD: secret,
    }),
    parsePipConf(
      `[global]\nindex-url = ${address('pypi')}\nfind-links =\n  ${address('links')}\n  /${secret}\ntrusted-host = pypi.example ${secret}@x\n[install]\nuser = ${secret}`,
    ),
  )
  const go = goConfiguration({
    GOPROXY: `${address('go')},${address('go2')}|direct`,
    GOSUMDB: `sum ${address('sum')}`,
    GOFLAGS: secret,
  })
  const maven = parseMavenSettings(
    `<settings><servers><server><id>central</id><username>${xml(user)}</username><password>${xml(secret)}</password></server></servers>
     <mirrors><mirror><id>m</id><url>${xml(address('maven'))}</url><mirrorOf>*</mirrorOf></mirror></mirrors>
     <proxies><proxy><host>p</host><username>${xml(user)}</username><password>${xml(secret)}</password></proxy></proxies>
     <profiles><profile><id>p</id><activation><activeByDefault>true</activeByDefault></activation><properties><key>${xml(secret)}</key></properties>
     <repositories><repository><id>r</id><url>${xml(address('repo'))}</url></repository></repositories></profile></profiles></settings>`,
    {},
  )
  const apt = aptConfiguration({
    lists: [`deb ${address('deb')} trixie main`],
    sources: [`Types: deb\nURIs: ${address('deb822')}\nSuites: trixie\nComponents: main\n`],
    configurations: [`Acquire::http::Proxy "${address('aptproxy')}";`],
    logins: [`machine deb.example login ${user} password ${secret}`],
  })
  const proxy = proxyOfEnvironment({
    HTTPS_PROXY: address('px'),
    http_proxy: `${login}plain.example:3128`,
    NO_PROXY: 'localhost',
  })
  return {
    settings: {
      npm: npm.settings,
      ...(pip.settings && { pip: pip.settings }),
      ...(go.settings && { go: go.settings }),
      ...(maven.settings && { maven: maven.settings }),
      ...(apt.settings && { apt: apt.settings }),
      proxy: proxy.proxy,
      certificates: [],
    },
    credentials: mergeCredentials(
      npm.credentials,
      pip.credentials,
      go.credentials,
      maven.credentials,
      apt.credentials,
      proxy.credentials,
    ),
  }
}

function xml(text: string): string {
  return text.replace(/[<>&'"]/g, (char) => `&#${char.charCodeAt(0)};`)
}

describe('without credentials', () => {
  it('no secret is in any binding, in any encoding, whatever it looks like', () => {
    // A marker that no address, option or keyword contains by chance, with characters that need quoting around it.
    const decorated = fc.tuple(
      fc.stringMatching(/^[A-Za-z0-9!$&*+.^_~-]{0,6}$/),
      fc.stringMatching(/^[A-Za-z0-9!$&*+.^_~-]{0,6}$/),
    )
    fc.assert(
      fc.property(decorated, decorated, ([a, b], [c, d]) => {
        const [user, secret] = [`${a}USERMARK${b}`, `${c}SECRETMARK${d}`]
        const written = JSON.stringify(toBindings(everything(user, secret), { credentials: false }))
        const found = [user, secret, 'USERMARK', 'SECRETMARK'].flatMap((text) => [
          text,
          Buffer.from(text).toString('base64').slice(2, -4),
          encodeURIComponent(text),
        ])
        for (const text of found) expect(written).not.toContain(text)
        expect(written).not.toContain(Buffer.from(`${user}:${secret}`).toString('base64'))
      }),
    )
  })

  it('addresses, scopes, proxies and lists stay', () => {
    const bindings = toBindings(everything('u', 's3cret'), { credentials: false })
    expect(Object.fromEntries(bindings.map(({ type, files }) => [type, files]))).toEqual({
      apt: {
        'sources.list':
          'deb https://deb.example/path/ trixie main\ndeb https://deb822.example/path/ trixie main\n',
        'apt.conf':
          'Acquire::http::Proxy "https://aptproxy.example/path/";\nAcquire::https::Proxy "https://aptproxy.example/path/";\n',
      },
      go: {
        'go.env':
          'GOPROXY=https://go.example/path/,https://go2.example/path/|direct\nGOSUMDB=sum https://sum.example/path/\n',
      },
      maven: { 'settings.xml': expect.stringContaining('<url>https://maven.example/path/</url>') },
      npmrc: {
        '.npmrc': 'registry=https://npm.example/path/\n@team:registry=https://team.example/path/\n',
      },
      pip: {
        'pip.conf': [
          '[global]',
          'index-url = https://pypi.example/path/',
          'extra-index-url =',
          '    https://one.example/path/',
          '    https://two.example/path/',
          'find-links =',
          '    https://links.example/path/',
          'trusted-host =',
          '    pypi.example',
          '',
        ].join('\n'),
      },
      proxy: {
        http: 'http://plain.example:3128/',
        https: 'https://px.example/path/',
        'no-proxy': 'localhost',
      },
    })
  })

  it('nothing set gives no binding', () => {
    expect(
      toBindings({ settings: { certificates: [] }, credentials: NO_CREDENTIALS }, { credentials: true }),
    ).toEqual([])
  })
})

describe('with credentials', () => {
  const access = everything('user', 's3cret/+')
  const bindings = toBindings(access, { credentials: true })

  it('they are in the files that their tools read', () => {
    const file = (type: string, key: string) => bindings.find((one) => one.type === type)?.files[key]
    expect(file('npmrc', '.npmrc')).toContain('//npm.example/path/:_authToken=s3cret/+')
    expect(file('maven', 'settings.xml')).toContain('<username>user</username><password>s3cret/+</password>')
    expect(file('apt', 'auth.conf')).toBe('machine deb.example login user password s3cret/+\n')
    expect(file('pip', 'pip.conf')).toContain('index-url = https://user:s3cret%2F%2B@pypi.example/path/')
  })

  it('bindings are read back to the same settings and credentials', () => {
    const back = fromBindings(bindings)
    expect(back.settings).toEqual(access.settings)
    expect(back.credentials.urls).toMatchObject({
      'https://npm.example/path/': access.credentials.urls['https://npm.example/path/'],
      'https://go.example/path/': access.credentials.urls['https://go.example/path/'],
      'https://px.example/path/': access.credentials.urls['https://px.example/path/'],
    })
    expect(back.credentials.maven).toEqual(access.credentials.maven)
    expect(back.credentials.npm).toMatchObject({ '//npm.example/path/:_authToken': 's3cret/+' })
  })
})

describe('fromBindings', () => {
  it("takes the first binding of a type and the certificates of all, users' types in any case", () => {
    const pem = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
    const { settings } = fromBindings(
      [
        { name: 'mine', type: 'NPMRC', files: { '.npmrc': `registry=\${MIRROR}` } },
        { name: 'host-npmrc', type: 'npmrc', files: { '.npmrc': 'registry=https://host.example/' } },
        {
          name: 'one',
          type: 'ca-certificates',
          files: { 'a.pem': `text\n${pem('AAAA')}`, 'b.pem': pem('BBBB') },
        },
        { name: 'two', type: 'ca-certificates', files: { x: pem('AAAA') } },
      ],
      { MIRROR: 'https://mirror.example/' },
    )
    expect(settings.npm?.registry).toBe('https://mirror.example/')
    expect(settings.certificates).toEqual([pem('AAAA'), pem('BBBB')])
  })
})
