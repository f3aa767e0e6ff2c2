import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { digestOf } from '../../../digest.ts'
import { MEDIA_TYPES } from '../../../image.ts'
import { codeOf, pushImage, read, sourceOf } from '../suite.ts'
import type { FaultGroup } from './row.ts'
import { count, server, setting } from './setting.ts'

const bytes = randomBytes(10_000)
const digest = digestOf(bytes)

/** Addresses that only we can reach, in forms that hide it. */
const PRIVATE = [
  'http://169.254.169.254/latest/meta-data',
  'http://10.0.0.1/x',
  'http://192.168.1.1/x',
  'http://[::1]:1/x',
  'http://[::ffff:10.0.0.1]/x',
  'http://localhost:1/x',
  'http://167772161/x',
  'http://0x0a000001/x',
  'http://0/x',
]

/** What a registry could want of us. */
export const HOSTILE: FaultGroup = {
  title: 'Hostile registries',
  rows: [
    {
      registry: 'answers bytes that do not fit their digest',
      client: 'refuses them',
      check: async () => {
        const at = await setting()
        await at.repository.putBlob(sourceOf(bytes, 'known'))
        const image = await pushImage(at.repository, ['latest'])
        at.server.faults.corruptBodies = true
        expect(await codeOf(read(at.repository.openBlob(digest)))).toBe('OCI_DIGEST_MISMATCH')
        expect(await codeOf(at.repository.getManifest('latest'))).toBe('OCI_DIGEST_MISMATCH')
        expect(await codeOf(at.repository.getManifest(image.digest))).toBe('OCI_DIGEST_MISMATCH')
      },
    },
    {
      registry: 'answers a blob that is longer or shorter than its descriptor says',
      client: 'refuses it',
      check: async () => {
        const { repository } = await setting()
        await repository.putBlob(sourceOf(bytes, 'known'))
        expect(await codeOf(read(repository.openBlob(digest, 9_999)))).toBe('OCI_DIGEST_MISMATCH')
        expect(await codeOf(read(repository.openBlob(digest, 10_001)))).toBe('OCI_DIGEST_MISMATCH')
      },
    },
    {
      registry: 'claims another digest than that of what was sent or asked for',
      client: 'refuses it',
      check: async () => {
        const at = await setting()
        const image = await pushImage(at.repository, ['latest'])
        at.server.faults.wrongDigestHeader = true
        const put = (source: Parameters<typeof at.repository.putBlob>[0]) =>
          codeOf(at.repository.putBlob(source))
        expect(await put(sourceOf(bytes, 'known'))).toBe('OCI_DIGEST_MISMATCH')
        expect(await put(sourceOf(randomBytes(10), 'unknown'))).toBe('OCI_DIGEST_MISMATCH')
        const again = at.repository.putManifest(image.bytes, MEDIA_TYPES.ociManifest, ['x'])
        expect(await codeOf(again)).toBe('OCI_DIGEST_MISMATCH')
        expect(await codeOf(at.repository.getManifest('latest'))).toBe('OCI_DIGEST_MISMATCH')
      },
    },
    {
      registry: 'has, or is to take, a manifest of 5 MiB or without end',
      client: 'reads and sends 4 MiB at most',
      check: async () => {
        const { repository, server: at } = await setting({
          endless: { kinds: ['manifest-get'], status: 200 },
        })
        expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_MANIFEST_TOO_LARGE')
        delete at.faults.endless
        const huge = Buffer.alloc(5 * 1024 * 1024, 32)
        const put = repository.putManifest(huge, MEDIA_TYPES.ociManifest, ['x'])
        expect(await codeOf(put)).toBe('OCI_MANIFEST_TOO_LARGE')
        at.store.repository(repository.reference.repository).manifests.set(digestOf(huge), {
          bytes: huge,
          mediaType: MEDIA_TYPES.ociManifest,
        })
        expect(await codeOf(repository.getManifest(digestOf(huge)))).toBe('OCI_MANIFEST_TOO_LARGE')
      },
    },
    {
      registry: 'sends a blob without end',
      client: 'stops where the descriptor does',
      check: async () => {
        const at = await setting({ endless: { kinds: ['blob-get'], status: 200 } })
        expect(await codeOf(read(at.repository.openBlob(digest, 10_000)))).toBe('OCI_DIGEST_MISMATCH')
        expect(at.server.sent.get('blob-get') ?? 0).toBeLessThan(16 * 1024 * 1024)
      },
    },
    {
      registry: 'sends a token, an error or a list without end',
      client: 'reads 64 KiB of a token or error and 4 MiB of a list',
      check: async () => {
        const tokens = await setting({ endless: { kinds: ['token'], status: 200 } })
        expect(await codeOf(tokens.repository.getManifest('latest'))).toBe('HTTP_BODY_TOO_LARGE')
        const refused = await setting({ endless: { kinds: ['token'], status: 403 } })
        expect(await codeOf(refused.repository.getManifest('latest'))).toBe('OCI_ACCESS_DENIED')
        const errors = await setting({ endless: { kinds: ['manifest-get', 'upload-put'], status: 418 } })
        expect(await codeOf(errors.repository.getManifest('latest'))).toBe('OCI_REGISTRY_FAILED')
        expect(await codeOf(errors.repository.putBlob(sourceOf(bytes, 'unknown')))).toBe(
          'OCI_REGISTRY_FAILED',
        )
        const lists = await setting({ endless: { kinds: ['tags'], status: 200 } })
        expect(await codeOf(lists.repository.tags())).toBe('HTTP_BODY_TOO_LARGE')
        for (const at of [tokens, refused, errors, lists]) {
          for (const sent of at.server.sent.values()) expect(sent).toBeLessThan(16 * 1024 * 1024)
        }
      },
    },
    {
      registry: 'gives lists whose pages never end',
      client: 'stops after a thousand pages of tags, a hundred of referrers',
      check: async () => {
        const at = await setting({ endlessPages: true, referrers: true })
        const image = await pushImage(at.repository, ['latest'])
        expect(await codeOf(at.repository.tags())).toBe('OCI_ANSWER_INVALID')
        expect(count(at.server, 'tags')).toBe(1000)
        await at.repository.referrers(image.digest)
        expect(count(at.server, 'referrers')).toBe(100)
      },
    },
    {
      registry: 'sends us for a token to a private address, to no URL, or past TLS',
      client: 'does not go',
      check: async () => {
        const others = ['ftp://127.0.0.1/token', 'http://user:pass@127.0.0.1/token', 'not a url']
        for (const realm of [...PRIVATE, ...others]) {
          const at = await setting({ realm })
          expect(await codeOf(at.repository.getManifest('latest'))).toBe('OCI_REALM_REFUSED')
        }
        const secure = await setting({ realm: 'http://tokens.example/token' }, { host: 'registry.example' })
        expect(await codeOf(secure.repository.getManifest('latest'))).toBe('OCI_REALM_REFUSED')
      },
    },
    {
      registry: 'sends us for a token to a realm that redirects to a private address',
      client: 'does not go',
      check: async () => {
        const headers = { location: 'http://169.254.169.254/latest/meta-data' }
        const at = await setting({ answer: { status: 307, headers, kinds: ['token'], times: 10 } })
        expect(await codeOf(at.repository.getManifest('latest'))).toBe('OCI_REALM_REFUSED')
      },
    },
    {
      registry: 'sends us for a token to a realm that redirects elsewhere',
      client: 'goes there without credentials',
      check: async () => {
        const elsewhere = await server()
        const headers = { location: `${elsewhere.url}/token` }
        const at = await setting({ answer: { status: 307, headers, kinds: ['token'], times: 10 } })
        await codeOf(at.repository.getManifest('latest'))
        expect(count(elsewhere, 'token')).toBeGreaterThan(0)
        for (const request of elsewhere.log) expect(request.headers.authorization).toBeUndefined()
      },
    },
    {
      registry: 'lets an upload go on at a private address, at no URL, or past TLS',
      client: 'does not go',
      check: async () => {
        for (const text of [...PRIVATE, 'file:///etc/passwd', 'http://:0']) {
          const { repository } = await setting({ location: { text } })
          expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_LOCATION_INVALID')
        }
        const secure = await setting(
          { location: { text: 'http://storage.example/upload' } },
          { host: 'registry.example', auth: { kind: 'none' } },
        )
        expect(await codeOf(secure.repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_LOCATION_INVALID')
      },
    },
    {
      registry: 'lets an upload go on at another origin',
      client: 'goes there without credentials, the query as it came',
      check: async () => {
        const elsewhere = await server()
        const at = await setting({ location: { text: `${elsewhere.url}/v2/x/y/blobs/uploads/1?a=b` } })
        expect(await codeOf(at.repository.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_REGISTRY_FAILED')
        expect(elsewhere.log.length).toBeGreaterThan(0)
        for (const { headers, path } of elsewhere.log) {
          expect(headers.authorization).toBeUndefined()
          if (path.includes('digest=')) expect(path).toContain('?a=b&digest=sha256%3A')
        }
      },
    },
    {
      registry: 'redirects a download to a private address, to no http, or past TLS',
      client: 'does not go',
      check: async () => {
        for (const redirectTo of [...PRIVATE, 'file:///etc/passwd']) {
          const at = await setting({ redirectTo })
          await at.repository.putBlob(sourceOf(bytes, 'known'))
          expect(await codeOf(read(at.repository.openBlob(digest)))).toBe('HTTP_REDIRECT_REFUSED')
        }
        const secure = await setting(
          { redirectTo: 'http://storage.example/blob' },
          { host: 'registry.example', auth: { kind: 'none' } },
        )
        await secure.repository.putBlob(sourceOf(bytes, 'known'))
        expect(await codeOf(read(secure.repository.openBlob(digest)))).toBe('HTTP_REDIRECT_REFUSED')
      },
    },
    {
      registry: 'redirects in a circle',
      client: 'ends after ten hops',
      check: async () => {
        const at = await setting()
        await at.repository.putBlob(sourceOf(bytes, 'known'))
        const path = `/v2/${at.repository.reference.repository}/blobs/${digest}`
        at.server.faults.redirectTo = `${at.server.url}${path}`
        expect(await codeOf(read(at.repository.openBlob(digest)))).toBe('HTTP_REDIRECT_LOOP')
        expect(count(at.server, 'blob-get')).toBe(11)
      },
    },
    {
      registry: 'is asked for a name that would leave its place in a URL',
      client: 'does not ask',
      check: async () => {
        const at = await setting()
        expect(await codeOf(at.repository.getManifest('../../other'))).toBe('OCI_TAG_INVALID')
        const put = at.repository.putManifest(Buffer.from('{}'), MEDIA_TYPES.ociManifest, ['..'])
        expect(await codeOf(put)).toBe('OCI_TAG_INVALID')
        expect(at.server.log).toEqual([])
      },
    },
  ],
}
