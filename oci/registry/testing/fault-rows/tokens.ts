import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { digestOf } from '../../../digest.ts'
import { parseReference } from '../../../reference.ts'
import { createRegistry } from '../../registry.ts'
import { codeOf, pushImage, read, sourceOf } from '../suite.ts'
import type { FaultGroup } from './row.ts'
import { client, count, login, server, setting, USERS } from './setting.ts'

const bytes = randomBytes(300_000)
const digest = digestOf(bytes)

/** Who we are to a registry. */
export const TOKENS: FaultGroup = {
  title: 'Tokens and rights',
  rows: [
    {
      registry: 'wants a token for each repository and action',
      client: 'uses one for a whole push, its own repository first; mounts ask for their source too',
      check: async () => {
        const at = await setting()
        const [own, source] = [at.repository, at.other].map(({ reference }) => reference.repository)
        await at.other.putBlob(sourceOf(bytes, 'known'))
        at.server.resetCounters()
        await pushImage(at.repository, ['one', 'two'])
        expect(at.server.askedScopes).toEqual([[`repository:${own}:pull,push`]])
        await at.repository.mountBlob(digest, at.other)
        expect(at.server.askedScopes[1]).toEqual([`repository:${own}:pull,push`, `repository:${source}:pull`])
      },
    },
    {
      registry: 'demands a token of twenty requests at once',
      client: 'asks for one',
      check: async () => {
        const at = await setting()
        const blobs = Array.from({ length: 20 }, () => randomBytes(1000))
        await Promise.all(blobs.map((blob) => at.repository.putBlob(sourceOf(blob, 'known'))))
        expect(count(at.server, 'token')).toBe(1)
      },
    },
    {
      registry: 'ends a token in the middle of an upload, or between two requests',
      client: 'gets another, and sends the blob again',
      check: async () => {
        for (const known of ['known', 'unknown'] as const) {
          const at = await setting({ expireDuringUpload: { times: 1 } })
          const source = sourceOf(bytes, known)
          expect((await at.repository.putBlob(source)).digest).toBe(digest)
          expect(at.server.store.uploads.size).toBe(0)
          at.server.expireTokens()
          expect(await at.repository.blobSize(digest)).toBe(bytes.length)
          at.server.expireTokens()
          await pushImage(at.repository, ['latest'])
        }
      },
    },
    {
      registry: 'ends a token in the middle of a download that breaks',
      client: 'gets another, and goes on where it broke',
      check: async () => {
        const at = await setting()
        await at.repository.putBlob(sourceOf(bytes, 'known'))
        at.server.faults.cutDownload = { afterBytes: 200_000, times: 1 }
        const received: Uint8Array[] = []
        for await (const chunk of at.repository.openBlob(digest)) {
          if (received.length === 0) at.server.expireTokens()
          received.push(chunk)
        }
        expect(Buffer.concat(received).equals(bytes)).toBe(true)
        expect(count(at.server, 'token')).toBe(2)
      },
    },
    {
      registry: 'takes passwords that end within a build',
      client: 'asks their source anew a minute before',
      known: 'ECR (12 hours), Artifact Registry (1 hour), ACR (3 hours)',
      check: async () => {
        let asked = 0
        const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']
        const at = await setting(
          {},
          {
            auth: { kind: 'basic', users: Object.fromEntries(names.map((name) => [name, 'secret'])) },
            credentials: async () => ({
              kind: 'basic',
              username: names[asked++] ?? '',
              password: 'secret',
              expires: Date.now() + (asked === 1 ? 59_000 : 3600_000),
            }),
          },
        )
        await pushImage(at.repository, ['latest'])
        expect(asked).toBe(2)
        const used = new Set(at.server.log.flatMap(({ headers }) => headers.authorization ?? []))
        expect(used).toContain(`Basic ${Buffer.from('second:secret').toString('base64')}`)
      },
    },
    {
      registry: 'demands again and again, whatever is sent',
      client: 'answers twice, then says that access is denied',
      check: async () => {
        const at = await setting()
        const demand = {
          'www-authenticate': `Bearer realm="${at.server.url}/token",scope="repository:x:pull"`,
        }
        at.server.faults.answer = { status: 401, headers: demand, kinds: ['manifest-get'], times: 1000 }
        expect(await codeOf(at.repository.getManifest('latest'))).toBe('OCI_ACCESS_DENIED')
        expect(count(at.server, 'manifest-get')).toBeLessThanOrEqual(4)
      },
    },
    {
      registry: 'demands rights on another repository',
      client: 'asks for none but its own',
      check: async () => {
        const at = await setting()
        const scope = 'repository:others/secret:pull,push'
        const demand = { 'www-authenticate': `Bearer realm="${at.server.url}/token",scope="${scope}"` }
        at.server.faults.answer = { status: 401, headers: demand, kinds: ['manifest-get'], times: 1 }
        await at.repository.getManifest('latest')
        expect(at.server.askedScopes.flat()).not.toContain(scope)
      },
    },
    {
      registry: 'lets everybody read, and us not write',
      client: 'says which of the two is denied',
      check: async () => {
        const path = 'team/read-only'
        const closed = await server({
          auth: { kind: 'bearer', users: USERS, readOnly: [path], anonymous: 'pull' },
        })
        const open = (credentials?: typeof login) =>
          createRegistry({
            http: client(),
            ...(credentials === undefined ? {} : { credentials }),
          }).repository(parseReference(`${closed.host}/${path}`))
        const known = open(login)
        await known.verifyAccess('read')
        expect(await codeOf(known.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
        expect(await codeOf(known.putBlob(sourceOf(bytes, 'known')))).toBe('OCI_ACCESS_DENIED')
        const anonymous = open()
        await anonymous.verifyAccess('read')
        expect(await anonymous.getManifest('latest')).toBeUndefined()
        expect(await codeOf(anonymous.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
      },
    },
    {
      registry: 'refuses the credentials',
      client: 'tells that from a missing image, and shows them in no message',
      check: async () => {
        const at = await setting(
          {},
          {
            credentials: async () => ({ kind: 'basic', username: 'builder', password: 'wrong-secret-1' }),
          },
        )
        const error = await at.repository.getManifest('latest').then(
          () => undefined,
          (thrown: Error & { code: string; hint: string }) => thrown,
        )
        expect(error?.code).toBe('OCI_ACCESS_DENIED')
        const told = JSON.stringify([
          error?.message,
          error?.hint,
          error?.stack,
          String(error?.cause),
          at.events,
        ])
        expect(told).not.toMatch(/wrong-secret|d3Jvbmct/)
      },
    },
    {
      registry: 'is asked by a build whether it may be read and written',
      client:
        'needs six requests: one that is refused, a token, two checks, the upload dropped again, the image',
      check: async () => {
        const at = await setting()
        await at.repository.verifyAccess('write')
        await at.repository.getManifest('latest')
        expect(at.server.log.map(({ kind }) => kind).sort()).toEqual(
          ['manifest-head', 'token', 'manifest-head', 'upload-start', 'upload-delete', 'manifest-get'].sort(),
        )
      },
    },
    {
      registry: 'redirects to a storage that demands a token itself',
      client: 'gives it no answer',
      check: async () => {
        const at = await setting({ redirectBlobs: true })
        await at.repository.putBlob(sourceOf(bytes, 'known'))
        const demand = {
          'www-authenticate': `Bearer realm="${at.server.url}/token",scope="repository:evil:pull,push"`,
        }
        at.server.faults.answer = { status: 401, headers: demand, kinds: ['storage'], times: 1 }
        at.server.resetCounters()
        expect(await codeOf(read(at.repository.openBlob(digest)))).toBe('OCI_ACCESS_DENIED')
        expect(count(at.server, 'token')).toBe(0)
      },
    },
  ],
}
