import { beforeAll, describe, expect, test } from 'vitest'
import { debianArchiveKeys } from './keys.ts'
import { checkRelease, parseRelease, type Release, verifyClearSigned } from './release.ts'
import { makeSigningKey, type SigningKey } from './testing/mirror.ts'

const DIGEST = 'cd'.repeat(32)
const TEXT = `Origin: Debian
Label: Debian
Suite: stable
Version: 13.7
Codename: trixie
Date: Sat, 12 Sep 2026 07:55:41 UTC
Valid-Until: Sat, 19 Sep 2026 07:55:41 UTC
Acquire-By-Hash: yes
MD5Sum:
 0123456789abcdef0123456789abcdef 10 main/binary-amd64/Packages
SHA256:
 ${DIGEST}       12 main/binary-amd64/Packages.xz
 not a line of sums`

let key: SigningKey
let other: SigningKey
let signed: string
beforeAll(async () => {
  key = await makeSigningKey()
  other = await makeSigningKey()
  signed = await key.sign(TEXT)
})

const verify = (message: string, keys = [key.publicKey]) =>
  verifyClearSigned(message, keys, 'http://m/InRelease', new Date())
const isInvalid = { code: 'SOURCE_DEBIAN_SIGNATURE_INVALID', subject: 'http://m/InRelease' }

describe('signature', () => {
  test('gives the signed text', async () => {
    expect(await verify(signed, [other.publicKey, key.publicKey])).toBe(TEXT)
  })

  test('an unknown key', async () => {
    await expect(verify(signed, [other.publicKey])).rejects.toMatchObject(isInvalid)
  })

  test('no key at all', async () => {
    await expect(verify(signed, [])).rejects.toMatchObject(isInvalid)
  })

  test.each([
    ['a changed text', (text: string) => text.replace('Origin: Debian', 'Origin: Debiam')],
    [
      'a line added',
      (text: string) => text.replace(/SHA256:\r?\n(?= )/, (line) => `${line} ${DIGEST} 1 evil\n`),
    ],
    [
      'a damaged signature',
      (text: string) =>
        text
          .replace(/\n=?[A-Za-z0-9+/]{4}\n-----END/, '\nAAAA\n-----END')
          .replace(/w[A-Za-z0-9]{6}/, 'wsAAAAA'),
    ],
    ['no signature', (text: string) => text.slice(0, text.indexOf('-----BEGIN PGP SIGNATURE'))],
    ['a page of a captive portal', () => '<html>please log in</html>'],
    ['nothing', () => ''],
  ])('%s', async (_, change) => {
    await expect(verify(change(signed))).rejects.toMatchObject(isInvalid)
  })

  test('text outside of the signed part is never returned', async () => {
    const wrapped = `Origin: Evil\n${signed}\nOrigin: Evil\n`
    const result = await verify(wrapped).catch((error: { code: string }) => error.code)
    expect([TEXT, isInvalid.code]).toContain(result)
  })

  test('Debian’s own keys can be read', async () => {
    const openpgp = await import('openpgp')
    const keys = await Promise.all(debianArchiveKeys().map((armoredKey) => openpgp.readKey({ armoredKey })))
    expect(keys.map((read) => read.getFingerprint().toUpperCase()).sort()).toEqual([
      '04B54C3CDCA79751B16BC6B5225629DF75B188BD',
      '05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0',
      '41587F7DB8C774BCCF131416762F67A0B2C39DE4',
      '4D64FEC119C2029067D6E791F8D2585B8783D481',
      '5E04A1E3223A19A20706E20F9904613D4CCE68C6',
      'B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8',
    ])
  })

  test('keys that are not installed are a clear error', () => {
    expect(() => debianArchiveKeys(new URL('./nowhere/', import.meta.url))).toThrow(
      expect.objectContaining({ code: 'SOURCE_DEBIAN_KEYS_MISSING' }),
    )
  })
})

describe('Release', () => {
  test('is parsed', () => {
    expect(parseRelease(TEXT, 'x')).toEqual({
      origin: 'Debian',
      label: 'Debian',
      suite: 'stable',
      codename: 'trixie',
      version: '13.7',
      date: new Date('2026-09-12T07:55:41Z'),
      validUntil: new Date('2026-09-19T07:55:41Z'),
      acquireByHash: true,
      files: new Map([['main/binary-amd64/Packages.xz', { sha256: DIGEST, size: 12 }]]),
    })
  })

  test.each([
    ['no Date', TEXT.replace(/Date: .*/, 'Date: soon')],
    ['a wrong Valid-Until', TEXT.replace(/Valid-Until: .*/, 'Valid-Until: soon')],
    ['no sums', TEXT.slice(0, TEXT.indexOf('SHA256'))],
  ])('with %s is refused', (_, text) => {
    expect(() => parseRelease(text, 'x')).toThrow(
      expect.objectContaining({ code: 'SOURCE_DEBIAN_RELEASE_INVALID' }),
    )
  })

  const release: Release = parseRelease(TEXT, 'x')
  const expected = { suite: 'trixie', now: new Date('2026-09-13T00:00:00Z') }

  test('of Debian, the suite and the time counts', () => {
    checkRelease(release, expected, 'x')
    checkRelease(release, { ...expected, suite: 'stable', notBefore: release.date }, 'x')
  })

  test.each([
    ['SOURCE_DEBIAN_ORIGIN_WRONG', { ...release, origin: 'Ubuntu' }, expected],
    ['SOURCE_DEBIAN_SUITE_WRONG', release, { ...expected, suite: 'bookworm' }],
    ['SOURCE_DEBIAN_RELEASE_EXPIRED', release, { ...expected, now: new Date('2026-09-20T00:00:00Z') }],
    ['SOURCE_DEBIAN_RELEASE_FUTURE', release, { ...expected, now: new Date('2026-09-10T00:00:00Z') }],
    ['SOURCE_DEBIAN_RELEASE_OLDER', release, { ...expected, notBefore: new Date('2026-09-12T08:00:00Z') }],
  ])('%s', (code, checked, wanted) => {
    expect(() => checkRelease(checked, wanted, 'x')).toThrow(expect.objectContaining({ code, subject: 'x' }))
  })

  test('dates do not count where the machine’s owner says so, an older index never does', () => {
    checkRelease(release, { ...expected, now: new Date('2030-01-01'), checkValidity: false }, 'x')
    const older = { ...expected, checkValidity: false, notBefore: new Date('2026-09-12T08:00:00Z') }
    expect(() => checkRelease(release, older, 'x')).toThrow(
      expect.objectContaining({ code: 'SOURCE_DEBIAN_RELEASE_OLDER' }),
    )
  })
})
