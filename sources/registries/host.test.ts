import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hostBindings, readHostSettings } from './host.ts'

const OWN = '-----BEGIN CERTIFICATE-----\nT1dO\n-----END CERTIFICATE-----\n'
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-host-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function put(path: string, text: string): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

describe('readHostSettings', () => {
  it('reads the files of every tool, the environment before them', async () => {
    const home = join(root, 'home')
    put('home/.npmrc', `registry=https://user.example/\n//user.example/:_authToken=\${NPM_TOKEN}\n`)
    put('usr/etc/npmrc', '@corp:registry=https://corp.example/\nregistry=https://global.example/\n')
    put('home/.config/pip/pip.conf', '[global]\nindex-url = https://pip.example/simple\n')
    put('etc/pip.conf', '[global]\ntrusted-host = pip.example\nindex-url = https://other.example/\n')
    put('home/.config/go/env', 'GOPROXY=https://go.example,direct\nGOPRIVATE=corp.example/*\n')
    put(
      'home/.m2/settings.xml',
      '<settings><mirrors><mirror><id>m</id><url>https://maven.example/</url><mirrorOf>central</mirrorOf></mirror></mirrors></settings>',
    )
    put(
      'etc/apt/sources.list.d/debian.sources',
      'Types: deb\nURIs: https://deb.example/debian\nSuites: trixie trixie-updates\nComponents: main\n',
    )
    put('etc/ssl/certs/ca-certificates.crt', `${rootCertificates[0]}\n${OWN}`)

    const { settings, credentials } = await readHostSettings({
      env: {
        PATH: `${root}/usr/bin:/nowhere`,
        NPM_TOKEN: 'token',
        GOPRIVATE: 'env.example',
        HTTPS_PROXY: 'proxy.example:3128',
      },
      home,
      root,
    })
    expect(settings).toEqual({
      npm: { registry: 'https://user.example/', scopes: { '@corp': 'https://corp.example/' }, options: {} },
      pip: {
        indexUrl: 'https://pip.example/simple',
        extraIndexUrls: [],
        findLinks: [],
        trustedHosts: ['pip.example'],
        noIndex: false,
      },
      go: { variables: { GOPROXY: 'https://go.example/,direct', GOPRIVATE: 'env.example' } },
      maven: { mirrors: [{ id: 'm', url: 'https://maven.example/', mirrorOf: 'central' }], profiles: [] },
      apt: {
        sources: [
          { uri: 'https://deb.example/debian/', suite: 'trixie', components: ['main'] },
          { uri: 'https://deb.example/debian/', suite: 'trixie-updates', components: ['main'] },
        ],
      },
      proxy: { https: 'http://proxy.example:3128/' },
      // Node's own roots are left out.
      certificates: [OWN],
    })
    expect(credentials.npm).toEqual({ '//user.example/:_authToken': 'token' })
  })

  it('reads named certificate files and configuration files elsewhere', async () => {
    const { settings } = await readHostSettings({
      env: {
        NODE_EXTRA_CA_CERTS: put('company.pem', OWN),
        npm_config_userconfig: put('elsewhere/npmrc', 'strict-ssl=false'),
        PIP_CONFIG_FILE: '/dev/null',
      },
      home: undefined,
      root,
    })
    expect(settings).toEqual({
      npm: { scopes: {}, options: { 'strict-ssl': 'false' } },
      proxy: {},
      certificates: [OWN],
    })
  })

  it('a bare machine has no settings and gives no bindings', async () => {
    expect(await hostBindings({ env: {}, home: join(root, 'none'), root, withCredentials: true })).toEqual([])
  })
})
