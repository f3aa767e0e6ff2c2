import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { npmAuthorization, npmConfiguration, npmLevelOfEnvironment, parseNpmrc, writeNpmrc } from './npmrc.ts'

describe('parseNpmrc', () => {
  it('reads comments, quotes, arrays, bare keys and escapes as npm does', () => {
    const level = parseNpmrc(
      [
        '; a comment',
        '# another',
        'registry = https://mirror.example/npm/ ; behind',
        '"@team:registry"="https://team.example/"',
        'ca[]="one"',
        'ca[]="two"',
        'strict-ssl',
        'note=a\\;b',
        '[section]',
        'registry=https://elsewhere.example/',
      ].join('\r\n'),
      {},
    )
    expect(Object.fromEntries(level)).toEqual({
      registry: 'https://mirror.example/npm/',
      '@team:registry': 'https://team.example/',
      ca: 'one\n\ntwo',
      'strict-ssl': 'true',
      note: 'a;b',
    })
  })

  it('expands variables, leaves unknown ones, empties those with a question mark', () => {
    const text = `a=\${A}/x\nb=\${B}\nc=\${C?}\nd=\\\${A}\n//\${A}/:_authToken=\${TOKEN}`
    expect(Object.fromEntries(parseNpmrc(text, { A: 'host', TOKEN: 't' }))).toEqual({
      a: 'host/x',
      b: `\${B}`,
      c: '',
      d: `\${A}`,
      '//host/:_authToken': 't',
    })
  })

  it('never fails, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => void npmConfiguration(parseNpmrc(text, {}))),
    )
  })
})

describe('npmConfiguration', () => {
  it('takes the first level that sets an option', () => {
    const { settings } = npmConfiguration(
      npmLevelOfEnvironment({ npm_config_registry: 'https://env.example/', NPM_CONFIG_STRICT_SSL: 'false' }),
      parseNpmrc('registry=https://user.example/\n@a:registry=https://a.example/', {}),
      parseNpmrc('@a:registry=https://global.example/\nfetch-retries=5\nnodedir=/usr', {}),
    )
    expect(settings).toEqual({
      registry: 'https://env.example/',
      scopes: { '@a': 'https://a.example/' },
      options: { 'strict-ssl': 'false', 'fetch-retries': '5' },
    })
  })

  it('takes credentials apart: from addresses, of registries and of the time before npm 9', () => {
    const { settings, credentials } = npmConfiguration(
      parseNpmrc(
        [
          'registry=https://me:secret@mirror.example/npm/',
          '//other.example/:_authToken=token',
          '//other.example/:certfile=/home/me/key.pem',
          '_auth=bWU6c2VjcmV0',
          `@x:registry=\${UNSET}`,
        ].join('\n'),
        {},
      ),
    )
    expect(settings).toEqual({ registry: 'https://mirror.example/npm/', scopes: {}, options: {} })
    expect(credentials).toEqual({
      npm: { '//other.example/:_authToken': 'token', '//mirror.example/npm/:_auth': 'bWU6c2VjcmV0' },
      urls: { 'https://mirror.example/npm/': 'https://me:secret@mirror.example/npm/' },
    })
  })

  it('gives https the proxy of http where it has none', () => {
    expect(npmConfiguration(parseNpmrc('proxy=http://proxy.example:3128\nnoproxy=a,b', {})).proxy).toEqual({
      http: 'http://proxy.example:3128/',
      https: 'http://proxy.example:3128/',
      noProxy: 'a,b',
    })
  })
})

describe('writeNpmrc', () => {
  const value = fc
    .string({ unit: fc.constantFrom(...'ab"\\;#\' =é'), minLength: 1, maxLength: 12 })
    .map((text) => `x${text}x`)

  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^\/\/[a-z]{1,5}\/:_authToken$/), value), (npm) => {
        const text = writeNpmrc({ scopes: {}, options: {} }, { npm, urls: {} })
        expect(Object.fromEntries(parseNpmrc(text, {}))).toEqual({ ...npm })
      }),
    )
  })
})

describe('npmAuthorization', () => {
  const npm = {
    '//a.example/:_authToken': 'root',
    '//a.example/deep/:_auth': 'ZGVlcDpwdw==',
    '//b.example:8443/npm/:username': 'me',
    '//b.example:8443/npm/:_password': Buffer.from('pä').toString('base64'),
  }

  it.each([
    ['https://a.example/pkg', 'Bearer root'],
    ['https://a.example/deep/pkg/-/pkg-1.tgz', 'Basic ZGVlcDpwdw=='],
    ['https://a.example/deeper', 'Bearer root'],
    ['https://b.example:8443/npm/x', `Basic ${Buffer.from('me:pä').toString('base64')}`],
    ['https://b.example/npm/x', undefined],
    ['https://a.example.evil/pkg', undefined],
  ])('%s', (url, expected) => {
    expect(npmAuthorization({ npm }, url)).toBe(expected)
  })
})
