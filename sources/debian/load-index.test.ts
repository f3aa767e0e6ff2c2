import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import { type XzPool, xzPool } from '../archive/xz.ts'
import { type IndexRequest, loadIndex } from './load-index.ts'
import {
  type Mirror,
  type MirrorPackage,
  makeSigningKey,
  type SigningKey,
  startMirror,
} from './testing/mirror.ts'

let key: SigningKey
let pool: XzPool
let http: HttpClient
beforeAll(async () => {
  key = await makeSigningKey()
  pool = xzPool({ size: 1 })
  return () => pool[Symbol.asyncDispose]()
})
beforeEach(() => {
  http = createHttpClient({})
})
let mirrors: Mirror[] = []
afterEach(async () => {
  await http.close()
  await Promise.all(mirrors.map((mirror) => mirror[Symbol.asyncDispose]()))
  mirrors = []
})

const pkg = (name: string, version: string): MirrorPackage => ({
  name,
  version,
  deb: Buffer.from(`${name} ${version}`),
})

async function mirrorOf(release: Readonly<Record<string, string>> = {}): Promise<Mirror> {
  const mirror = await startMirror(key, [
    { suite: 'trixie', packages: [pkg('a', '1'), pkg('b', '1')], release },
    { suite: 'trixie-updates', packages: [pkg('a', '1+u1')] },
    { suite: 'trixie-security', packages: [pkg('b', '1+deb13u1')] },
  ])
  mirrors.push(mirror)
  return mirror
}

function load(main: readonly string[], security: readonly string[], more: Partial<IndexRequest> = {}) {
  const request: IndexRequest = {
    archives: { main, security },
    settings: { main: 'debian.mirror', security: 'debian.security-mirror' },
    suites: ['trixie', 'trixie-updates'],
    securitySuite: 'trixie-security',
    architecture: 'amd64',
    keys: [key.publicKey],
    now: new Date(),
    ...more,
  }
  return loadIndex({ http }, request, pool)
}

test('reads all suites, the newest version of each package first', async () => {
  const { uri, requests } = await mirrorOf()
  const { index, archives, dates } = await load([uri], [uri])
  expect(index.candidates('a').map(({ version }) => version)).toEqual(['1+u1', '1'])
  expect(index.candidates('b')[0]).toMatchObject({ version: '1+deb13u1', archive: 'security' })
  expect(archives).toEqual([
    { name: 'security', uri },
    { name: 'main', uri },
    { name: 'main', uri },
  ])
  expect([...dates.keys()].sort()).toEqual(['trixie', 'trixie-security', 'trixie-updates'])
  expect(requests.filter((path) => path.endsWith('Packages.xz'))).toEqual([])
})

test.each([
  ['debian.mirror', [], ['x']],
  ['debian.security-mirror', ['x'], []],
])('where no mirror is known the error names %s', async (setting, main, security) => {
  await expect(load(main, security)).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_MIRROR_UNKNOWN',
    subject: setting,
    hint: expect.stringContaining(setting),
  })
})

test('archives of others are passed over', async () => {
  const other = await mirrorOf({ Origin: 'Vendor' })
  const old = await mirrorOf({ Codename: 'bookworm', Suite: 'oldstable' })
  const right = await mirrorOf()
  const { archives } = await load([`${other.uri}nothing/`, other.uri, old.uri, right.uri], [right.uri])
  expect(archives[1]).toEqual({ name: 'main', uri: right.uri })
})

test('where none of several will do the error says why for each', async () => {
  const other = await mirrorOf({ Origin: 'Vendor' })
  await expect(load([`${other.uri}nothing/`, other.uri], [other.uri])).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_MIRROR_UNUSABLE',
    message: expect.stringMatching(/404.*"Vendor", not Debian/s),
  })
})

test('the only mirror’s own error is told', async () => {
  const { uri } = await mirrorOf()
  await expect(load([uri], [uri], { keys: [(await makeSigningKey()).publicKey] })).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_SIGNATURE_INVALID',
  })
  await expect(load([uri], [uri], { architecture: 'm68k' })).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_INDEX_MISSING',
  })
  const tomorrow = new Map([['trixie', new Date(Date.now() + 86_400_000)]])
  await expect(load([uri], [uri], { notBefore: tomorrow })).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_RELEASE_OLDER',
  })
})

test('an index that is not the signed one is refused', async () => {
  const { uri, files } = await mirrorOf()
  for (const [path, bytes] of files) {
    if (path.startsWith('dists/trixie/main/binary-amd64')) files.set(path, Buffer.alloc(bytes.length, 'x'))
  }
  await expect(load([uri], [uri])).rejects.toMatchObject({ code: 'SOURCE_DEBIAN_DIGEST_WRONG' })
})

test('a mirror without by-hash serves by name', async () => {
  const { uri, files, requests } = await mirrorOf()
  for (const path of files.keys()) if (path.includes('by-hash')) files.delete(path)
  const { index } = await load([uri], [uri])
  expect(index.size).toBe(4)
  expect(requests.filter((path) => path.endsWith('Packages.xz')).length).toBe(3)
})

test('a server that is busy is asked again', async () => {
  const mirror = await mirrorOf()
  let refused = 0
  mirror.intercept = (_, response) => {
    if (refused++ > 0) return false
    response.writeHead(503, { 'retry-after': '0' }).end()
    return true
  }
  expect((await load([mirror.uri], [mirror.uri])).index.size).toBe(4)
})

test('an address may lack its slash, and must be one', async () => {
  const { uri } = await mirrorOf()
  expect((await load([uri.slice(0, -1)], [uri])).archives[1]).toEqual({ name: 'main', uri })
  for (const wrong of ['mirror.example/debian', 'file:///debian', '']) {
    await expect(load([wrong], [uri])).rejects.toMatchObject({
      code: 'SOURCE_DEBIAN_MIRROR_INVALID',
      subject: 'debian.mirror',
    })
  }
})
