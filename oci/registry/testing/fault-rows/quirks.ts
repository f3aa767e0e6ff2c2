import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { digestOf } from '../../../digest.ts'
import { MEDIA_TYPES } from '../../../image.ts'
import { dockerConfigCredentials } from '../../credentials/docker.ts'
import { HUB_KEY } from '../../credentials/docker-config.ts'
import type { Faults } from '../faults.ts'
import { codeOf, pushImage, read, sourceOf } from '../suite.ts'
import type { FaultGroup } from './row.ts'
import { again, another, count, login, setting, USERS } from './setting.ts'

const bytes = randomBytes(200_000)
const digest = digestOf(bytes)
const MIB = 1024 * 1024

function complaint(code: string): string {
  return JSON.stringify({ errors: [{ code, message: 'as real registries say it' }] })
}

/** What registries do differently, all within or beside the specification (libraries.md §3.6). */
export const QUIRKS: FaultGroup = {
  title: 'Registries that differ',
  rows: [
    {
      registry: 'is known by several names, and its credentials stand under a URL',
      client: 'looks for them under every name',
      known: 'Docker Hub',
      check: async () => {
        const directory = await mkdtemp(join(tmpdir(), 'slipway-hub-'))
        for (const key of [HUB_KEY, 'docker.io', 'registry-1.docker.io']) {
          const file = join(directory, 'config.json')
          const auth = Buffer.from('me:secret').toString('base64')
          await writeFile(file, JSON.stringify({ auths: { [key]: { auth } } }))
          const source = dockerConfigCredentials({ files: [file], env: {} })
          expect(await source('index.docker.io', 'library/node')).toMatchObject({ username: 'me' })
        }
        await rm(directory, { recursive: true })
      },
    },
    {
      registry: 'counts every GET of a manifest as a pull',
      client: 'asks for digests by HEAD',
      known: 'Docker Hub',
      check: async () => {
        const { server, repository } = await setting()
        const { digest: image } = await pushImage(repository, ['latest'])
        server.resetCounters()
        expect(await repository.manifestDigest('latest')).toBe(image)
        expect(count(server, 'manifest-get')).toBe(0)
      },
    },
    {
      registry: 'limits pulls, with `ratelimit-*` and without Retry-After',
      client: 'tries again a few times, then says that the limit is reached and that known users may more',
      known: 'Docker Hub',
      check: async () => {
        const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }
        const body = complaint('TOOMANYREQUESTS')
        const { repository, waits } = await setting({ answer: { status: 429, headers, body, times: 1000 } })
        await expect(repository.getManifest('latest')).rejects.toMatchObject({
          code: 'OCI_RATE_LIMITED',
          hint: expect.stringContaining('log in'),
        })
        expect(waits).toHaveLength(4)
      },
    },
    {
      registry: 'fails when a blob of another registry is to be mounted',
      client: 'mounts only within one registry',
      known: 'Docker Hub',
      check: async () => {
        const at = await setting()
        const elsewhere = await setting()
        await elsewhere.repository.putBlob(sourceOf(bytes, 'known'))
        expect(await at.repository.mountBlob(digest, elsewhere.repository)).toBe(false)
        expect(at.server.log).toEqual([])
      },
    },
    {
      registry: 'answers 201 or 204 to a PATCH',
      client: 'takes them for 202',
      known: 'ECR (201)',
      check: async () => {
        for (const patchStatus of [201, 202, 204] as const) {
          const { repository } = await setting({ patchStatus })
          expect((await repository.putBlob(sourceOf(bytes, 'unknown'))).digest).toBe(digest)
        }
      },
    },
    {
      registry: 'says of an upload how much it had after the first piece, and never more',
      client: 'resumes within a piece alone; where the answer does not fit, sends the whole blob again',
      known: 'ECR',
      check: async () => {
        const large = randomBytes(9 * MIB)
        const { server, repository } = await setting({
          lengthRequired: true,
          staleRange: true,
          cutUpload: { afterBytes: MIB, times: 1, skip: 1 },
        })
        const source = sourceOf(large, 'unknown')
        expect((await repository.putBlob(source)).digest).toBe(digestOf(large))
        expect(count(server, 'upload-status')).toBeGreaterThan(0)
        expect(server.store.uploads.size).toBe(0)
      },
    },
    {
      registry: 'wants repositories, or their project, to be there before the push',
      client: 'says so',
      known: 'ECR, Harbor',
      check: async () => {
        const { repository } = await setting({
          answer: { status: 404, kinds: ['upload-start'], body: complaint('NAME_UNKNOWN'), times: 1000 },
        })
        await expect(repository.putBlob(sourceOf(bytes, 'unknown'))).rejects.toMatchObject({
          code: 'OCI_REPOSITORY_MISSING',
          hint: expect.stringContaining('created first'),
        })
      },
    },
    {
      registry: 'fails once with 500 at the PUT without a body that ends an upload',
      client: 'sends the blob again',
      known: 'ECR',
      check: async () => {
        const { repository } = await setting({ answer: { status: 500, kinds: ['upload-put'], times: 1 } })
        const source = sourceOf(bytes, 'unknown')
        expect((await repository.putBlob(source)).digest).toBe(digest)
        expect(source.opened).toBe(2)
      },
    },
    {
      registry: 'takes pages of at most 1000 tags, and gives long lists in pages',
      client: 'asks for 1000 and follows the links, within the registry alone',
      known: 'ECR',
      check: async () => {
        const { server, repository } = await setting()
        const tags = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`)
        await pushImage(repository, tags)
        server.resetCounters()
        expect(await repository.tags()).toEqual(tags)
        expect(count(server, 'tags')).toBe(3)
        expect(server.log[0]?.path).toContain('n=1000')
      },
    },
    {
      registry: 'refuses pieces of an upload above 4 MiB with 416',
      client: 'sends none larger',
      known: 'GHCR',
      check: async () => {
        const large = randomBytes(9 * MIB)
        const { server, repository } = await setting({ lengthRequired: true, pieceLimit: 4 * MIB })
        expect((await repository.putBlob(sourceOf(large, 'unknown'))).digest).toBe(digestOf(large))
        expect(count(server, 'upload-patch')).toBe(4)
      },
    },
    {
      registry: 'wants pieces of a least length (`OCI-Chunk-Min-Length`)',
      client:
        'sends none smaller, the last one aside; refuses a wish above 64 MiB, for a piece is held in memory',
      check: async () => {
        const large = randomBytes(13 * MIB)
        const { server, repository } = await setting({ lengthRequired: true, leastPiece: 5 * MIB })
        expect((await repository.putBlob(sourceOf(large, 'unknown'))).digest).toBe(digestOf(large))
        expect(count(server, 'upload-patch')).toBe(4)
        server.faults.leastPiece = 65 * MIB
        expect(await codeOf(repository.putBlob(sourceOf(bytes, 'unknown')))).toBe('OCI_ANSWER_INVALID')
      },
    },
    {
      registry: 'wants a length where a body is streamed (411)',
      client: 'sends pieces with a length, and from then on at once',
      known: 'proxies',
      check: async () => {
        const { server, repository } = await setting({ lengthRequired: true })
        const large = randomBytes(5 * MIB)
        expect((await repository.putBlob(sourceOf(large, 'unknown'))).digest).toBe(digestOf(large))
        server.resetCounters()
        await repository.putBlob(sourceOf(bytes, 'unknown'))
        expect(count(server, 'upload-start')).toBe(1)
        const pieces = server.log.filter(({ kind }) => kind === 'upload-patch')
        expect(pieces.map(({ headers }) => headers['content-range'])).toEqual(['0-199999'])
      },
    },
    {
      registry: 'refuses large requests (413)',
      client: 'sends pieces',
      known: 'proxies',
      check: async () => {
        const { server, repository } = await setting({ bodyLimit: 5 * MIB })
        const large = randomBytes(9 * MIB)
        expect((await repository.putBlob(sourceOf(large, 'known'))).digest).toBe(digestOf(large))
        expect(count(server, 'upload-patch')).toBe(3)
      },
    },
    {
      registry: 'wants `Content-Length: 0` at a POST without a body',
      client: 'sends it',
      known: 'GCR, Artifact Registry',
      check: async () => {
        const { server, repository } = await setting()
        await repository.putBlob(sourceOf(bytes, 'unknown'))
        const [post] = server.log.filter(({ kind }) => kind === 'upload-start')
        expect(post?.headers['content-length']).toBe('0')
      },
    },
    {
      registry: 'has no POST for tokens: 404, 401, 400 or 405',
      client: 'asks by GET, with the identity token as password',
      known: 'GCR (404), Artifactory (401), ACR (400)',
      check: async () => {
        for (const noTokenPost of [400, 401, 404, 405] as const) {
          const at = await setting(
            { noTokenPost },
            {
              auth: { kind: 'bearer', users: USERS, identityTokens: ['refresh-1'] },
              credentials: async () => ({ kind: 'identity-token', token: 'refresh-1' }),
            },
          )
          await pushImage(at.repository, ['latest'])
        }
      },
    },
    {
      registry: 'answers a token as `access_token`, and knows the user by its identity token alone',
      client: 'takes either name; the user is the zero GUID or `<token>`, as the credential has it',
      known: 'ACR',
      check: async () => {
        const at = await setting(
          {},
          {
            auth: { kind: 'bearer', users: {}, identityTokens: ['refresh-1'] },
            credentials: async () => ({
              kind: 'identity-token',
              token: 'refresh-1',
              username: '00000000-0000-0000-0000-000000000000',
            }),
          },
        )
        await pushImage(at.repository, ['latest'])
        expect(at.server.log.find(({ kind }) => kind === 'token')?.method).toBe('POST')
      },
    },
    {
      registry: 'takes `Content-Range` only in the form of the specification, without the unit',
      client: 'sends it so',
      known: 'ACR',
      check: async () => {
        const { server, repository } = await setting({ lengthRequired: true })
        await repository.putBlob(sourceOf(bytes, 'unknown'))
        const ranges = server.log.flatMap(({ headers }) => headers['content-range'] ?? [])
        expect(ranges).toEqual(['0-199999'])
      },
    },
    {
      registry: 'fails at a mount that names no source',
      client: 'always names one',
      known: 'Quay',
      check: async () => {
        const { server, repository, other } = await setting()
        await other.putBlob(sourceOf(bytes, 'known'))
        expect(await repository.mountBlob(digest, other)).toBe(true)
        const [mount] = server.log.filter(({ kind }) => kind === 'mount')
        expect(mount?.path).toContain(`from=${encodeURIComponent(other.reference.repository)}`)
      },
    },
    {
      registry: 'refuses a mount, or opens an upload instead',
      client: 'uploads; the upload that was opened is used',
      check: async () => {
        for (const refuseMounts of ['upload', 'error'] as const) {
          const { server, repository, other } = await setting({ refuseMounts })
          await other.putBlob(sourceOf(bytes, 'known'))
          server.resetCounters()
          expect(await repository.mountBlob(digest, other)).toBe(false)
          await repository.putBlob(sourceOf(bytes, 'known'))
          expect(count(server, 'upload-start')).toBe(refuseMounts === 'upload' ? 0 : 1)
        }
      },
    },
    {
      registry: 'says another length of a manifest to HEAD than to GET',
      client: 'believes the bytes',
      known: 'Harbor',
      check: async () => {
        const { server, repository } = await setting()
        const image = await pushImage(repository, ['latest'])
        server.faults.wrongHeadLength = true
        expect(await repository.manifestDigest('latest')).toBe(image.digest)
        expect(await repository.getManifest('latest')).toMatchObject({ bytes: image.bytes })
      },
    },
    {
      registry: 'gives tokens for minutes',
      client: 'gets another before one ends, and where one ended too early',
      known: 'GitLab',
      check: async () => {
        const { server, repository } = await setting({}, { auth: { kind: 'bearer', users: USERS, life: 1 } })
        await repository.putBlob(sourceOf(bytes, 'unknown'))
        server.expireTokens()
        await pushImage(repository, ['latest'])
        expect(count(server, 'token')).toBeGreaterThan(1)
      },
    },
    {
      registry: 'stands behind a proxy that ends TLS, and answers a Location by http',
      client: 'goes on by https at the same host',
      known: 'Artifactory',
      check: async () => {
        const { server, repository } = await setting(
          { location: 'absolute' },
          { host: 'artifactory.example', auth: { kind: 'none' } },
        )
        server.faults.publicUrl = 'http://artifactory.example'
        expect((await repository.putBlob(sourceOf(bytes, 'unknown'))).digest).toBe(digest)
      },
    },
    {
      registry: 'refuses a manifest without a length (411)',
      client: 'sends it with one',
      known: 'Nexus',
      check: async () => {
        const { server, repository } = await setting()
        const image = await pushImage(repository, ['latest'])
        const [put] = server.log.filter(({ kind }) => kind === 'manifest-put')
        expect(put?.headers['content-length']).toBe(String(image.bytes.length))
      },
    },
    {
      registry: 'answers a Location as a path, a URL or relative, with a state in its query',
      client: 'resolves it against the request, and keeps the query as it came',
      known: 'distribution (`_state`)',
      check: async () => {
        for (const location of ['path', 'absolute', 'relative'] as const) {
          const { repository } = await setting({ location })
          await repository.putBlob(sourceOf(bytes, 'unknown'))
          await repository.putBlob(sourceOf(randomBytes(1000), 'known'))
        }
      },
    },
    {
      registry: 'has no referrers API',
      client: 'keeps an index under the tag `sha256-<hex>`, and reads it there',
      known: 'distribution 2 and 3, GHCR, GitLab',
      check: async () => {
        const { server, repository } = await setting()
        const image = await pushImage(repository, ['latest'])
        const referrer = await attach(repository, image)
        expect(await repository.tags()).toContain(image.digest.replace(':', '-'))
        expect((await repository.referrers(image.digest)).map((entry) => entry.digest)).toEqual([referrer])
        expect(count(server, 'referrers')).toBe(1)
      },
    },
    {
      registry: 'has a referrers API, which says so by `OCI-Subject`',
      client: 'writes no index, and follows the pages of its lists',
      known: 'zot, Harbor, ECR',
      check: async () => {
        const { repository } = await setting({ referrers: true })
        const image = await pushImage(repository, ['latest'])
        for (let index = 0; index < 5; index++) await attach(repository, image, String(index))
        expect(await repository.tags()).toEqual(['latest'])
        expect(await repository.referrers(image.digest)).toHaveLength(5)
      },
    },
    {
      registry: 'knows no conditions, while several processes enter referrers of one image into that index',
      client: 'looks again whether its entry is there, once the others must have written: none is lost',
      known: 'distribution 2.8',
      check: async () => await enteredTogether({ conditional: false }),
    },
    {
      registry: 'heeds conditions (`If-Match`) meanwhile',
      client: 'writes only over what it read; none is lost',
      check: async () => await enteredTogether({ conditional: true }),
    },
    {
      registry: 'gives ETags that hold for no condition (412)',
      client: 'leaves the condition out where nothing has changed',
      known: 'proxies that compress',
      check: async () => {
        const { repository } = await setting({ conditional: 'never' })
        const image = await pushImage(repository, ['latest'])
        const entered = [await attach(repository, image, '1'), await attach(repository, image, '2')]
        const listed = (await repository.referrers(image.digest)).map((entry) => entry.digest)
        expect(listed.sort()).toEqual(entered.sort())
      },
    },
    {
      registry: 'answers manifests in chunks, without a length',
      client: 'reads them to their end, up to 4 MiB',
      known: 'zot',
      check: async () => {
        const { repository } = await setting({ chunkedManifests: true })
        const image = await pushImage(repository, ['latest'])
        expect((await repository.getManifest('latest'))?.digest).toBe(image.digest)
      },
    },
    {
      registry: 'takes several tags in one PUT (`OCI-Tag`), or does not',
      client: 'asks so from three tags on, and writes one by one those that are not confirmed',
      check: async () => {
        const tags = ['1', '1.2', '1.2.3', 'latest']
        for (const tagParameters of [true, false]) {
          const { server, repository } = await setting({ tagParameters })
          const image = await pushImage(repository, tags)
          expect(count(server, 'manifest-put')).toBe(tagParameters ? 1 : 5)
          for (const tag of tags) expect(await repository.manifestDigest(tag)).toBe(image.digest)
        }
      },
    },
    {
      registry: 'complains of an upload that it forgot on its way, with a code of the specification',
      client: 'sends the blob again, whatever the status',
      check: async () => {
        for (const code of ['BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'UNKNOWN']) {
          const { server, repository } = await setting({
            answer: { status: 400, kinds: ['upload-put'], body: complaint(code), times: 1 },
          })
          await repository.putBlob(sourceOf(bytes, 'unknown'))
          expect(count(server, 'upload-start')).toBe(2)
        }
      },
    },
    {
      registry: 'sends blobs from a storage that fails where Authorization is sent',
      client: 'goes there without credentials, also to resume',
      known: 'S3 and its like',
      check: async () => {
        const { server, repository } = await setting({ redirectBlobs: true })
        await repository.putBlob(sourceOf(bytes, 'known'))
        server.faults.cutDownload = { afterBytes: 1000, times: 1 }
        expect((await read(repository.openBlob(digest))).equals(bytes)).toBe(true)
        expect(count(server, 'storage')).toBe(2)
      },
    },
    {
      registry: 'has a warning to tell (`Warning: 299`)',
      client: 'tells it once',
      check: async () => {
        const { repository, events } = await setting({ warning: 'this registry will close' })
        await repository.getManifest('latest')
        await repository.getManifest('latest')
        expect(events.filter(({ type }) => type === 'warning')).toHaveLength(1)
      },
    },
    {
      registry: 'hides from strangers what is not for everybody (404), without asking who they are',
      client: 'asks once what it demands of those who have a name; strangers ask nothing more',
      check: async () => {
        const at = await setting()
        await pushImage(at.repository, ['latest'])
        const { server, repository } = at
        server.faults.answer = { status: 404, kinds: ['manifest-get'], times: 1 }
        expect(await again(at, repository, login).getManifest('latest')).toBeDefined()
        server.faults.answer = { status: 404, kinds: ['manifest-get'], times: 1 }
        server.resetCounters()
        expect(await again(at, repository).getManifest('latest')).toBeUndefined()
        expect(count(server, 'ping')).toBe(0)
        expect(await codeOf(another(at).getManifest('latest'))).toBe('OCI_ACCESS_DENIED')
      },
    },
  ],
}

/** Several clients that know nothing of each other enter what refers to one image. */
async function enteredTogether(faults: Faults): Promise<void> {
  const at = await setting(faults)
  const image = await pushImage(at.repository, ['latest'])
  const writers = Array.from({ length: 6 }, () => again(at, at.repository, login))
  const entered = await Promise.all(writers.map((writer, index) => attach(writer, image, String(index))))
  const listed = (await at.repository.referrers(image.digest)).map((entry) => entry.digest)
  expect(listed.sort()).toEqual(entered.sort())
}

type Pushed = Awaited<ReturnType<typeof pushImage>>

/** A small artifact that refers to an image. */
async function attach(
  repository: Parameters<typeof pushImage>[0],
  image: Pushed,
  note = 'a note',
): Promise<string> {
  const empty = await repository.putBlob(sourceOf(Buffer.from('{}'), 'known'))
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: 'application/x-note',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', ...empty },
    layers: [],
    subject: { mediaType: MEDIA_TYPES.ociManifest, digest: image.digest, size: image.bytes.length },
    annotations: { note },
  }
  return await repository.putManifest(Buffer.from(JSON.stringify(manifest)), MEDIA_TYPES.ociManifest, [])
}
