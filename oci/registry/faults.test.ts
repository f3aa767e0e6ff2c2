import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { EventBody } from '../../core/event.ts'
import { createHttpClient } from '../../core/http/client.ts'
import { digestOf } from '../digest.ts'
import { MEDIA_TYPES } from '../image.ts'
import { parseReference } from '../reference.ts'
import type { CredentialSource } from './credentials/types.ts'
import { createRegistry } from './registry.ts'
import type { Faults } from './testing/faults.ts'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from './testing/server.ts'
import { codeOf, freshRepository, pushImage, read, sourceOf } from './testing/suite.ts'
import type { RegistryRepository } from './types.ts'

/** What goes wrong with real registries and lines, and what hostile ones would like (libraries.md §3.6). */

const users = { builder: 'hunter2-secret' }
const login: CredentialSource = async () => ({
  kind: 'basic',
  username: 'builder',
  password: 'hunter2-secret',
})
const bearer: TestRegistryOptions = { auth: { kind: 'bearer', users } }

const http = createHttpClient()
const servers: TestRegistry[] = []

interface Setting {
  readonly server: TestRegistry
  readonly repository: RegistryRepository
  readonly other: RegistryRepository
  readonly waits: number[]
  readonly events: EventBody[]
}

async function setting(faults: Faults = {}, options: TestRegistryOptions = bearer): Promise<Setting> {
  const server = await startTestRegistry(options)
  servers.push(server)
  Object.assign(server.faults, faults)
  const waits: number[] = []
  const events: EventBody[] = []
  const registry = createRegistry({
    http,
    credentials: login,
    emit: (event) => events.push(event),
    retry: { sleep: async (milliseconds) => waits.push(milliseconds) },
  })
  const peer = { host: server.host, registry }
  return { server, repository: freshRepository(peer), other: freshRepository(peer), waits, events }
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})
afterAll(() => http.close())

const count = (server: TestRegistry, kind: Parameters<TestRegistry['requests']['get']>[0]) =>
  server.requests.get(kind) ?? 0

describe('lines that break', () => {
  const bytes = randomBytes(1_000_000)
  const tenths = Array.from({ length: 10 }, (_, index) => index * 100_000)

  it.each(tenths)('an upload cut after %i bytes is replayed', async (afterBytes) => {
    for (const known of ['known', 'unknown'] as const) {
      const { server, repository } = await setting({ cutUpload: { afterBytes, times: 1 } })
      const source = sourceOf(bytes, known)
      expect(await repository.putBlob(source)).toEqual({ digest: digestOf(bytes), size: bytes.length })
      expect(source.opened).toBe(2)
      expect(server.store.uploads.size).toBe(0)
      expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
    }
  })

  it('after two cuts the upload goes on in pieces, and a cut piece is resumed', async () => {
    const large = randomBytes(9 * 1024 * 1024)
    const { server, repository } = await setting({ cutUpload: { afterBytes: 1_000_000, times: 3 } })
    const source = sourceOf(large, 'unknown')
    expect((await repository.putBlob(source)).digest).toBe(digestOf(large))
    expect(source.opened).toBe(3)
    expect(count(server, 'upload-status')).toBe(1)
    expect(server.store.uploads.size).toBe(0)
  })

  it('an upload that never succeeds ends with the reason, and leaves nothing behind', async () => {
    const { server, repository, waits } = await setting({ cutUpload: { afterBytes: 1000, times: 1000 } })
    expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('HTTP_CONNECTION_LOST')
    expect(waits).toHaveLength(4)
    expect(server.store.uploads.size).toBe(0)
    expect(server.store.repositories.get(repository.reference.repository)?.blobs.size ?? 0).toBe(0)
  })

  it.each([1, 100_000, 999_999])('a download cut after %i bytes is resumed there', async (afterBytes) => {
    const { server, repository } = await setting()
    await repository.putBlob(sourceOf(bytes, 'known'))
    server.faults.cutDownload = { afterBytes, times: 1 }
    expect((await read(repository.openBlob(digestOf(bytes), bytes.length))).equals(bytes)).toBe(true)
    const ranges = server.log.filter(({ kind }) => kind === 'blob-get').map(({ headers }) => headers.range)
    expect(ranges).toEqual([undefined, `bytes=${afterBytes}-`])
  })

  it('a download is resumed as often as it makes progress, also by a server that ignores ranges', async () => {
    const { server, repository } = await setting({ ignoreRanges: true })
    await repository.putBlob(sourceOf(bytes, 'known'))
    server.faults.cutDownload = { afterBytes: 900_000, times: 2 }
    expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
    server.faults.ignoreRanges = false
    server.faults.cutDownload = { afterBytes: 100_000, times: 20 }
    expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
  })

  it('a download without progress ends', async () => {
    const { server, repository } = await setting()
    await repository.putBlob(sourceOf(bytes, 'known'))
    server.faults.cutDownload = { afterBytes: 0, times: 1000 }
    expect(await codeOf(read(repository.openBlob(digestOf(bytes))))).toBe('HTTP_CONNECTION_LOST')
  })

  it('a registry that is gone is named', async () => {
    const { server, repository } = await setting()
    await server.close()
    expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('HTTP_CONNECT_FAILED')
  })

  it('an upload that is taken before its end does not become a blob', async () => {
    const { server, repository } = await setting({ acceptEarly: { afterBytes: 100_000, times: 1 } })
    const pieces = sourceOf(bytes, 'unknown', 1000)
    const slow = {
      async *open() {
        for await (const piece of pieces.open()) {
          yield piece
          await new Promise((resolve) => setImmediate(resolve))
        }
      },
    }
    expect((await repository.putBlob(slow)).digest).toBe(digestOf(bytes))
    expect(pieces.opened).toBe(2)
    expect([...(server.store.repositories.get(repository.reference.repository)?.blobs.keys() ?? [])]).toEqual(
      [digestOf(bytes)],
    )
  })

  it('rubbish in place of HTTP is an error', async () => {
    const rubbish = createServer((socket) => {
      socket.on('error', () => {}).resume()
      socket.end('SSH-2.0-OpenSSH_9.2p1 Debian\r\n')
    })
    await new Promise<void>((resolve) => rubbish.listen(0, '127.0.0.1', resolve))
    const { port } = rubbish.address() as { port: number }
    const registry = createRegistry({ http, retry: { attempts: 2, sleep: async () => {} } })
    const code = await codeOf(
      registry.repository(parseReference(`127.0.0.1:${port}/a/b`)).getManifest('latest'),
    )
    expect(code).toBe('HTTP_ANSWER_INVALID')
    await new Promise((resolve) => rubbish.close(resolve))
  })
})

describe('busy registries', () => {
  const bytes = randomBytes(1000)

  it('waits as long as Retry-After says, in seconds or until a date', async () => {
    const { server, repository, waits } = await setting()
    server.faults.answer = { status: 429, headers: { 'retry-after': '7' }, times: 1 }
    await repository.verifyAccess('read')
    expect(waits.every((wait) => wait > 6000 && wait <= 7000)).toBe(true)
    waits.length = 0
    const date = new Date(Date.now() + 60_000).toUTCString()
    server.faults.answer = { status: 503, headers: { 'retry-after': date }, kinds: ['upload-put'], times: 1 }
    await repository.putBlob(sourceOf(bytes, 'known'))
    expect(waits.some((wait) => wait > 50_000 && wait <= 60_000)).toBe(true)
  })

  it('gives up when it is told to wait too long', async () => {
    const { server, repository, waits } = await setting()
    server.faults.answer = { status: 429, headers: { 'retry-after': '86400' }, times: 1000 }
    expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_RATE_LIMITED')
    expect(waits).toEqual([])
  })

  it('survives a storm of 429 and 500 in all kinds of requests', async () => {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      const { server, repository } = await setting()
      server.faults.answer = { status, times: 4 }
      await pushImage(repository, ['latest'])
      expect(await repository.getManifest('latest')).toBeDefined()
    }
  })

  it('takes the codes of the error body for temporary', async () => {
    const body = JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_INVALID', message: 'try again' }] })
    const { server, repository } = await setting({
      answer: { status: 400, kinds: ['upload-put'], body, times: 1 },
    })
    await repository.putBlob(sourceOf(bytes, 'unknown'))
    expect(count(server, 'upload-start')).toBe(2)
  })

  it('a failure that stays carries the status and what the registry said', async () => {
    const body = JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: 'the disk is full' }] })
    const { repository } = await setting({ answer: { status: 507, body, times: 1000 } })
    await expect(repository.getManifest('latest')).rejects.toThrow(
      /answered 507 \(UNSUPPORTED: the disk is full\)/,
    )
  })
})

describe('quirks', () => {
  const bytes = randomBytes(200_000)

  it.each([201, 202, 204] as const)('PATCH answers %i', async (patchStatus) => {
    const { repository } = await setting({ patchStatus })
    expect((await repository.putBlob(sourceOf(bytes, 'unknown'))).digest).toBe(digestOf(bytes))
  })

  it.each(['path', 'absolute', 'relative'] as const)(
    'Location is of the form %s, its query survives',
    async (location) => {
      const { repository } = await setting({ location })
      await repository.putBlob(sourceOf(bytes, 'unknown'))
      await repository.putBlob(sourceOf(randomBytes(1000), 'known'))
    },
  )

  it('411 for a streamed body: pieces with a length, and from then on at once', async () => {
    const { server, repository } = await setting({ lengthRequired: true })
    const large = randomBytes(5 * 1024 * 1024)
    expect((await repository.putBlob(sourceOf(large, 'unknown'))).digest).toBe(digestOf(large))
    server.resetCounters()
    await repository.putBlob(sourceOf(bytes, 'unknown'))
    expect(count(server, 'upload-start')).toBe(1)
    const lengths = server.log
      .filter(({ kind }) => kind === 'upload-patch')
      .map(({ headers }) => headers['content-range'])
    expect(lengths).toEqual(['0-199999'])
  })

  it('413 for a large request: pieces', async () => {
    const { server, repository } = await setting({ bodyLimit: 5 * 1024 * 1024 })
    const large = randomBytes(9 * 1024 * 1024)
    expect((await repository.putBlob(sourceOf(large, 'known'))).digest).toBe(digestOf(large))
    expect(count(server, 'upload-patch')).toBe(3)
  })

  it('a mount that is refused is followed by an ordinary upload, by the upload that was opened if there is one', async () => {
    for (const refuseMounts of ['upload', 'error'] as const) {
      const { server, repository, other } = await setting({ refuseMounts })
      await other.putBlob(sourceOf(bytes, 'known'))
      server.resetCounters()
      expect(await repository.mountBlob(digestOf(bytes), other)).toBe(false)
      await repository.putBlob(sourceOf(bytes, 'known'))
      expect(count(server, 'upload-start')).toBe(refuseMounts === 'upload' ? 0 : 1)
    }
  })

  it('blobs are fetched from a storage without credentials', async () => {
    const { server, repository } = await setting({ redirectBlobs: true })
    await repository.putBlob(sourceOf(bytes, 'known'))
    server.faults.cutDownload = { afterBytes: 1000, times: 1 }
    expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
    expect(count(server, 'storage')).toBe(2)
  })

  it('no POST for tokens: GET with the identity token as password', async () => {
    const server = await startTestRegistry({
      auth: { kind: 'bearer', users, identityTokens: ['refresh-1'] },
    })
    servers.push(server)
    server.faults.noTokenPost = true
    const registry = createRegistry({
      http,
      credentials: async () => ({ kind: 'identity-token', token: 'refresh-1' }),
    })
    await pushImage(freshRepository({ host: server.host, registry }), ['latest'])
  })

  it('warnings are told once', async () => {
    const { repository, events } = await setting({ warning: 'this registry will close' })
    await repository.getManifest('latest')
    await repository.getManifest('latest')
    expect(events.filter(({ type }) => type === 'warning')).toHaveLength(1)
  })

  it('long lists of tags come in pages', async () => {
    const { server, repository } = await setting()
    const tags = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`)
    await pushImage(repository, tags)
    server.resetCounters()
    expect(await repository.tags()).toEqual(tags)
    expect(count(server, 'tags')).toBe(3)
  })
})

describe('tokens', () => {
  const bytes = randomBytes(300_000)

  it('one token serves a whole push; mounts ask for their source too', async () => {
    const { server, repository, other } = await setting()
    await other.putBlob(sourceOf(bytes, 'known'))
    server.resetCounters()
    await pushImage(repository, ['one', 'two'])
    expect(server.askedScopes).toEqual([[`repository:${repository.reference.repository}:pull,push`]])
    await repository.mountBlob(digestOf(bytes), other)
    expect(server.askedScopes[1]).toEqual([
      `repository:${repository.reference.repository}:pull,push`,
      `repository:${other.reference.repository}:pull`,
    ])
  })

  it('many requests at once ask for one token', async () => {
    const { server, repository } = await setting()
    await Promise.all(
      Array.from({ length: 20 }, () => repository.putBlob(sourceOf(randomBytes(1000), 'known'))),
    )
    expect(count(server, 'token')).toBe(1)
  })

  it('a token that ends is renewed, also in the middle of an upload', async () => {
    for (const known of ['known', 'unknown'] as const) {
      const { server, repository } = await setting({ expireDuringUpload: { times: 1 } })
      const source = sourceOf(bytes, known)
      expect((await repository.putBlob(source)).digest).toBe(digestOf(bytes))
      expect(server.store.uploads.size).toBe(0)
      server.expireTokens()
      expect(await repository.blobSize(digestOf(bytes))).toBe(bytes.length)
      server.expireTokens()
      await pushImage(repository, ['latest'])
    }
  })

  it('who may only read is told so when writing', async () => {
    const { server } = await setting()
    const readOnly = `team/read-only`
    const closed = await startTestRegistry({
      auth: { kind: 'bearer', users, readOnly: [readOnly], anonymous: 'pull' },
    })
    servers.push(closed)
    const registry = createRegistry({ http, credentials: login })
    const repository = registry.repository(parseReference(`${closed.host}/${readOnly}`))
    await repository.verifyAccess('read')
    expect(await codeOf(repository.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
    expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_ACCESS_DENIED')
    const anonymous = createRegistry({ http }).repository(parseReference(`${closed.host}/${readOnly}`))
    await anonymous.verifyAccess('read')
    expect(await anonymous.getManifest('latest')).toBeUndefined()
    expect(await codeOf(anonymous.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
    expect(server.requests.size).toBe(0)
  })

  it('wrong credentials are told apart from missing images, and appear in no message', async () => {
    const { server } = await setting()
    const wrong = createRegistry({
      http,
      credentials: async () => ({ kind: 'basic', username: 'builder', password: 'wrong-secret-1' }),
    }).repository(parseReference(`${server.host}/a/b`))
    const error = await wrong.getManifest('latest').then(
      () => undefined,
      (thrown: Error & { code: string; hint: string }) => thrown,
    )
    expect(error?.code).toBe('OCI_ACCESS_DENIED')
    expect(JSON.stringify([error?.message, error?.hint, error?.stack, String(error?.cause)])).not.toMatch(
      /wrong-secret|d3Jvbmct/,
    )
  })

  it('a registry that hides what is not for everybody is told who we are', async () => {
    const { server, repository } = await setting()
    await pushImage(repository, ['latest'])
    const again = createRegistry({ http, credentials: login }).repository(repository.reference)
    server.faults.answer = { status: 404, kinds: ['manifest-get'], times: 1 }
    expect(await again.getManifest('latest')).toBeDefined()
    const anonymous = createRegistry({ http }).repository(repository.reference)
    server.faults.answer = { status: 404, kinds: ['manifest-get'], times: 1 }
    server.resetCounters()
    expect(await anonymous.getManifest('latest')).toBeUndefined()
    expect(count(server, 'ping')).toBe(0)
  })

  it('a demand of the storage that a redirect leads to gets no answer', async () => {
    const { server, repository } = await setting({ redirectBlobs: true })
    const bytes = randomBytes(10)
    await repository.putBlob(sourceOf(bytes, 'known'))
    const demand = {
      'www-authenticate': `Bearer realm="${server.url}/token",scope="repository:evil:pull,push"`,
    }
    server.faults.answer = { status: 401, headers: demand, kinds: ['storage'], times: 1 }
    server.resetCounters()
    expect(await codeOf(read(repository.openBlob(digestOf(bytes))))).toBe('OCI_ACCESS_DENIED')
    expect(count(server, 'token')).toBe(0)
  })

  it('the access check of a build takes few requests', async () => {
    const { server, repository } = await setting()
    await repository.verifyAccess('write')
    await repository.getManifest('latest')
    // One is refused, a token, two checks, the upload dropped again, the image.
    expect(server.log.map(({ kind }) => kind).sort()).toEqual(
      ['manifest-head', 'token', 'manifest-head', 'upload-start', 'upload-delete', 'manifest-get'].sort(),
    )
  })
})

describe('hostile registries', () => {
  const bytes = randomBytes(10_000)

  it('bytes that do not fit their digest are refused', async () => {
    const { server, repository } = await setting()
    await repository.putBlob(sourceOf(bytes, 'known'))
    const { digest } = await pushImage(repository, ['latest'])
    server.faults.corruptBodies = true
    expect(await codeOf(read(repository.openBlob(digestOf(bytes))))).toBe('OCI_DIGEST_MISMATCH')
    expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_DIGEST_MISMATCH')
    expect(await codeOf(repository.getManifest(digest))).toBe('OCI_DIGEST_MISMATCH')
  })

  it('a blob that is longer or shorter than its descriptor is refused', async () => {
    const { repository } = await setting()
    await repository.putBlob(sourceOf(bytes, 'known'))
    expect(await codeOf(read(repository.openBlob(digestOf(bytes), 9_999)))).toBe('OCI_DIGEST_MISMATCH')
    expect(await codeOf(read(repository.openBlob(digestOf(bytes), 10_001)))).toBe('OCI_DIGEST_MISMATCH')
  })

  it('another digest than that of what was sent is refused', async () => {
    const { server, repository } = await setting()
    const { bytes: manifest } = await pushImage(repository, ['latest'])
    server.faults.wrongDigestHeader = true
    expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_DIGEST_MISMATCH')
    expect(await codeOf(repository.putBlob(sourceOf(randomBytes(10), 'unknown')))).toBe('OCI_DIGEST_MISMATCH')
    expect(await codeOf(repository.putManifest(manifest, MEDIA_TYPES.ociManifest, ['x']))).toBe(
      'OCI_DIGEST_MISMATCH',
    )
    expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_DIGEST_MISMATCH')
  })

  it('endless and huge manifests are refused', async () => {
    const { repository } = await setting({ endlessManifests: true })
    expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_MANIFEST_TOO_LARGE')
    const huge = Buffer.alloc(5 * 1024 * 1024, 32)
    expect(await codeOf(repository.putManifest(huge, MEDIA_TYPES.ociManifest, ['x']))).toBe(
      'OCI_MANIFEST_TOO_LARGE',
    )
  })

  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://10.0.0.1/token',
    'http://localhost:1/token',
    'ftp://127.0.0.1/token',
    'http://user:pass@127.0.0.1/token',
    'not a url',
  ])('a realm at %s gets no credentials', async (realm) => {
    const { repository } = await setting({ realm })
    expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_REALM_REFUSED')
  })

  it.each(['http://169.254.169.254/upload', 'http://[::1]:1/upload', 'file:///etc/passwd', 'http://:0'])(
    'an upload is not sent to %s',
    async (text) => {
      const { repository } = await setting({ location: { text } })
      expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_LOCATION_INVALID')
    },
  )

  it('credentials are not sent to a Location on another origin', async () => {
    const { server, repository } = await setting()
    const elsewhere = await startTestRegistry()
    servers.push(elsewhere)
    server.faults.location = { text: `${elsewhere.url}/v2/x/y/blobs/uploads/1?a=b` }
    expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_REGISTRY_FAILED')
    expect(elsewhere.log.length).toBeGreaterThan(0)
    for (const { headers, path } of elsewhere.log) {
      expect(headers.authorization).toBeUndefined()
      if (path.includes('digest=')) expect(path).toContain('?a=b&digest=sha256%3A')
    }
  })

  it.each(['http://169.254.169.254/latest', 'http://192.168.1.1/x', 'file:///etc/passwd'])(
    'a redirect to %s is not followed',
    async (redirectTo) => {
      const { server, repository } = await setting()
      await repository.putBlob(sourceOf(bytes, 'known'))
      server.faults.redirectTo = redirectTo
      expect(await codeOf(read(repository.openBlob(digestOf(bytes))))).toBe('HTTP_REDIRECT_REFUSED')
    },
  )

  it('a loop of redirects ends', async () => {
    const { server, repository } = await setting()
    await repository.putBlob(sourceOf(bytes, 'known'))
    server.faults.redirectTo = `${server.url}/v2/${repository.reference.repository}/blobs/${digestOf(bytes)}`
    expect(await codeOf(read(repository.openBlob(digestOf(bytes))))).toBe('HTTP_REDIRECT_LOOP')
  })

  it('names that would leave their place in a URL are refused', async () => {
    const { repository } = await setting()
    expect(await codeOf(repository.getManifest('../../other'))).toBe('OCI_TAG_INVALID')
    expect(await codeOf(repository.putManifest(Buffer.from('{}'), MEDIA_TYPES.ociManifest, ['..']))).toBe(
      'OCI_TAG_INVALID',
    )
  })
})
