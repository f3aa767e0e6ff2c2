import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  aptChecksValidity,
  aptListName,
  aptProxies,
  candidateArchives,
  parseAptConf,
  parseDeb822Sources,
  parseMirrorList,
  parseSourcesList,
} from './apt-settings.ts'

describe('sources.list', () => {
  test('reads what apt reads', () => {
    const text = `# comment
deb http://mirror.example/debian trixie main contrib # behind
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://mirror.example/debian/ trixie-updates main
deb-src http://mirror.example/debian trixie main
  deb http://user:word@mirror.example/debian-security trixie-security main
deb cdrom:[Debian]/ trixie main
deb http://flat.example/repo ./
not a line`
    expect(parseSourcesList(text)).toEqual([
      { uri: 'http://mirror.example/debian/', suite: 'trixie', components: ['main', 'contrib'] },
      {
        uri: 'https://mirror.example/debian/',
        suite: 'trixie-updates',
        components: ['main'],
        signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
      },
      {
        uri: 'http://user:word@mirror.example/debian-security/',
        suite: 'trixie-security',
        components: ['main'],
      },
      { uri: 'http://flat.example/repo/', suite: './', components: [] },
    ])
  })

  test('never fails', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void [parseSourcesList(text), parseDeb822Sources(text), parseAptConf(text)],
      ),
    )
  })
})

test('*.sources: every address with every suite, disabled and source stanzas left out', () => {
  const text = `Types: deb deb-src
# a comment
URIs: http://one.example/debian https://two.example/debian/
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://three.example/debian
Suites: sid
Components: main
Enabled: no

Types: deb-src
URIs: http://four.example/debian
Suites: sid
Components: main

Types: deb
URIs: mirror+file:/etc/apt/mirrors/debian.list
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`
  const sources = parseDeb822Sources(text)
  expect(sources.map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
    'http://one.example/debian/ trixie',
    'http://one.example/debian/ trixie-updates',
    'https://two.example/debian/ trixie',
    'https://two.example/debian/ trixie-updates',
    'mirror+file:/etc/apt/mirrors/debian.list trixie',
  ])
  expect(sources[4]?.signedBy).toContain('BEGIN PGP')
})

test('candidates: by archive, those of Debian’s keyring first, each address once', () => {
  const known = { components: ['main'], signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg' }
  expect(
    candidateArchives([
      { uri: 'http://other.example/', suite: 'stable', components: ['main'] },
      { uri: 'http://no-main.example/', suite: 'stable', components: ['contrib'] },
      { uri: 'http://debian.example/', suite: 'bookworm', ...known },
      { uri: 'http://debian.example/', suite: 'bookworm-updates', ...known },
      { uri: 'http://security.example/', suite: 'bookworm-security', ...known },
      { uri: 'http://old.example/', suite: 'buster/updates', components: ['main'] },
    ]),
  ).toEqual({
    main: ['http://debian.example/', 'http://other.example/'],
    security: ['http://security.example/', 'http://old.example/'],
  })
})

test('lists of mirrors', () => {
  expect(
    parseMirrorList('http://a.example/debian\tpriority:1\n# no\nhttps://b.example/debian/\nfile:/x\n'),
  ).toEqual(['http://a.example/debian/', 'https://b.example/debian/'])
})

test('names of fetched files are apt’s', () => {
  const source = { uri: 'http://user:word@deb.example:8080/debian_x/', suite: 'trixie', components: [] }
  expect(aptListName(source, 'InRelease')).toBe('deb.example%3a8080_debian%5fx_dists_trixie_InRelease')
})

describe('apt.conf', () => {
  test('reads both ways of writing, comments and lists', () => {
    const conf = parseAptConf(`// one
Acquire::http::Proxy "http://proxy.example:3128/"; # a comment, too
/* Acquire::http::Proxy "http://wrong/"; */
Acquire { https { Proxy "http://secure.example:1"; Proxy::Direct.example "DIRECT"; }; Retries "3"; };
# Acquire::http::Proxy "http://wrong/";
APT::Never { "linux-image"; "firmware"; };
Acquire::Check-Valid-Until false;
`)
    expect(conf.get('acquire::http::proxy')).toEqual(['http://proxy.example:3128/'])
    expect(conf.get('acquire::https::proxy')).toEqual(['http://secure.example:1'])
    expect(conf.get('acquire::retries')).toEqual(['3'])
    expect(conf.get('apt::never')).toEqual(['linux-image', 'firmware'])
    expect(aptProxies(conf)).toEqual({
      http: 'http://proxy.example:3128/',
      https: 'http://secure.example:1',
      noProxy: 'direct.example',
    })
    expect(aptChecksValidity(conf)).toBe(false)
  })

  test('no proxy, one for both, DIRECT', () => {
    expect(aptProxies(parseAptConf(''))).toEqual({})
    expect(aptProxies(parseAptConf('Acquire::http::Proxy "http://p:1";'))).toEqual({
      http: 'http://p:1',
      https: 'http://p:1',
    })
    expect(
      aptProxies(parseAptConf('Acquire::http::Proxy "http://p:1"; Acquire::http::Proxy "DIRECT";')),
    ).toEqual({})
    expect(aptChecksValidity(parseAptConf('Acquire::Check-Date "true";'))).toBe(true)
  })
})
