import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { expect } from 'vitest'
import { digestOf } from '../../../digest.ts'
import { parseReference } from '../../../reference.ts'
import { createRegistry } from '../../registry.ts'
import { codeOf, pushImage, read, sourceOf } from '../suite.ts'
import type { FaultGroup } from './row.ts'
import { blobsAt, client, count, setting } from './setting.ts'

const bytes = randomBytes(1_000_000)
const digest = digestOf(bytes)
const tenths = Array.from({ length: 10 }, (_, index) => index * 100_000)

/** Lines that break. */
export const LINES: FaultGroup = {
  title: 'Lines that break',
  rows: [
    {
      registry: 'cuts the connection at every tenth of an upload',
      client: 'opens the source anew and sends the whole blob again, whether its digest is known or not',
      check: async () => {
        for (const afterBytes of tenths) {
          for (const known of ['known', 'unknown'] as const) {
            const { server, repository } = await setting({ cutUpload: { afterBytes, times: 1 } })
            const source = sourceOf(bytes, known)
            expect(await repository.putBlob(source)).toEqual({ digest, size: bytes.length })
            expect(source.opened).toBe(2)
            expect(server.store.uploads.size).toBe(0)
            expect((await read(repository.openBlob(digest))).equals(bytes)).toBe(true)
          }
        }
      },
    },
    {
      registry: 'cuts an upload again and again',
      client:
        'goes on in pieces of 4 MiB after two cuts, asks how much of a cut piece has come, and resumes there',
      check: async () => {
        const large = randomBytes(9 * 1024 * 1024)
        const { server, repository } = await setting({ cutUpload: { afterBytes: 1_000_000, times: 3 } })
        const source = sourceOf(large, 'unknown')
        expect((await repository.putBlob(source)).digest).toBe(digestOf(large))
        expect(source.opened).toBe(3)
        expect(count(server, 'upload-status')).toBe(1)
        expect(server.store.uploads.size).toBe(0)
      },
    },
    {
      registry: 'never takes an upload to its end',
      client: 'ends with the reason after five tries, and leaves neither an upload nor a blob behind',
      check: async () => {
        const at = await setting({ cutUpload: { afterBytes: 1000, times: 1000 } })
        expect(await codeOf(at.repository.putBlob(sourceOf(bytes, 'known')))).toBe('HTTP_CONNECTION_LOST')
        expect(at.waits).toHaveLength(4)
        expect(at.server.store.uploads.size).toBe(0)
        expect(blobsAt(at, at.repository)).toEqual([])
      },
    },
    {
      registry: 'answers an upload before its end as done',
      client: 'does not commit the part that was sent, and sends the blob again',
      check: async () => {
        const at = await setting({ acceptEarly: { afterBytes: 100_000, times: 1 } })
        const pieces = sourceOf(bytes, 'unknown', 1000)
        const slow = {
          async *open() {
            for await (const piece of pieces.open()) {
              yield piece
              await new Promise((resolve) => setImmediate(resolve))
            }
          },
        }
        expect((await at.repository.putBlob(slow)).digest).toBe(digest)
        expect(pieces.opened).toBe(2)
        expect(blobsAt(at, at.repository)).toEqual([digest])
      },
    },
    {
      registry: 'takes minutes to move what was sent before it answers the commit',
      client: 'waits a quarter of an hour for a commit, whatever the limit for other answers',
      check: async () => {
        const { repository } = await setting(
          { slowCommit: 400 },
          { http: client({ timeouts: { headers: 100 } }) },
        )
        expect(await repository.putBlob(sourceOf(bytes, 'unknown'))).toEqual({ digest, size: bytes.length })
      },
    },
    {
      registry: 'cuts a download',
      client: 'goes on where it broke, by Range',
      check: async () => {
        for (const afterBytes of [1, 100_000, 999_999]) {
          const { server, repository } = await setting()
          await repository.putBlob(sourceOf(bytes, 'known'))
          server.faults.cutDownload = { afterBytes, times: 1 }
          expect((await read(repository.openBlob(digest, bytes.length))).equals(bytes)).toBe(true)
          const asked = server.log.filter(({ kind }) => kind === 'blob-get')
          expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, `bytes=${afterBytes}-`])
        }
      },
    },
    {
      registry: 'cuts a download many times, and does or does not know ranges',
      client: 'goes on as long as each try brings more, passing over what it had',
      check: async () => {
        const { server, repository } = await setting({ ignoreRanges: true })
        await repository.putBlob(sourceOf(bytes, 'known'))
        server.faults.cutDownload = { afterBytes: 900_000, times: 2 }
        expect((await read(repository.openBlob(digest))).equals(bytes)).toBe(true)
        server.faults.ignoreRanges = false
        server.faults.cutDownload = { afterBytes: 100_000, times: 20 }
        expect((await read(repository.openBlob(digest))).equals(bytes)).toBe(true)
      },
    },
    {
      registry: 'ends a body early, with neither a length nor chunks that would show it',
      client: 'knows the length from the descriptor, and goes on where it ended',
      check: async () => {
        const { server, repository } = await setting()
        await repository.putBlob(sourceOf(bytes, 'known'))
        server.faults.cutDownload = { afterBytes: 5000, times: 1, unframed: true }
        expect((await read(repository.openBlob(digest, bytes.length))).equals(bytes)).toBe(true)
        server.faults.cutDownload = { afterBytes: 5000, times: 1, unframed: true }
        expect(await codeOf(read(repository.openBlob(digest)))).toBe('OCI_DIGEST_MISMATCH')
      },
    },
    {
      registry: 'sends nothing of a download, time after time',
      client: 'ends with the reason after five tries',
      check: async () => {
        const { server, repository } = await setting()
        await repository.putBlob(sourceOf(bytes, 'known'))
        server.faults.cutDownload = { afterBytes: 0, times: 1000 }
        expect(await codeOf(read(repository.openBlob(digest)))).toBe('HTTP_CONNECTION_LOST')
        expect(count(server, 'blob-get')).toBe(5)
      },
    },
    {
      registry: 'is gone',
      client: 'names it and what failed',
      check: async () => {
        const { server, repository } = await setting()
        await server.close()
        expect(await codeOf(repository.putBlob(sourceOf(bytes, 'known')))).toBe('HTTP_CONNECT_FAILED')
      },
    },
    {
      registry: 'speaks something else than HTTP',
      client: 'says so',
      check: async () => {
        const rubbish = createServer((socket) => {
          socket.on('error', () => {}).resume()
          socket.end('SSH-2.0-OpenSSH_9.2p1 Debian\r\n')
        })
        await new Promise<void>((resolve) => rubbish.listen(0, '127.0.0.1', resolve))
        const { port } = rubbish.address() as { port: number }
        const registry = createRegistry({ http: client(), retry: { attempts: 2, sleep: async () => {} } })
        const repository = registry.repository(parseReference(`127.0.0.1:${port}/a/b`))
        expect(await codeOf(repository.getManifest('latest'))).toBe('HTTP_ANSWER_INVALID')
        await new Promise((resolve) => rubbish.close(resolve))
      },
    },
    {
      registry: 'answers 429 with a time to wait, in seconds or as a date, once or in a storm',
      client: 'waits as long as it says before any other request to that registry',
      check: async () => {
        const { server, repository, waits } = await setting()
        server.faults.answer = { status: 429, headers: { 'retry-after': '7' }, times: 1 }
        await repository.verifyAccess('read')
        expect(waits.every((wait) => wait > 6000 && wait <= 7000)).toBe(true)
        waits.length = 0
        const date = new Date(Date.now() + 60_000).toUTCString()
        server.faults.answer = {
          status: 503,
          headers: { 'retry-after': date },
          kinds: ['upload-put'],
          times: 1,
        }
        await repository.putBlob(sourceOf(bytes, 'known'))
        expect(waits.some((wait) => wait > 50_000 && wait <= 60_000)).toBe(true)
        waits.length = 0
        server.faults.answer = { status: 429, headers: { 'retry-after': '3' }, times: 4 }
        await pushImage(repository, ['latest'])
        expect(waits.filter((wait) => wait > 2000).length).toBeGreaterThanOrEqual(4)
      },
    },
    {
      registry: 'asks for a wait of a day',
      client: 'gives up at once and says that the limit is reached',
      check: async () => {
        const { server, repository, waits } = await setting()
        server.faults.answer = { status: 429, headers: { 'retry-after': '86400' }, times: 1000 }
        expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_RATE_LIMITED')
        expect(waits).toEqual([])
      },
    },
    {
      registry: 'answers 408, 429, 499, 500, 502, 503, 504 or 522 to whatever comes',
      client: 'tries again, with pauses that double',
      check: async () => {
        for (const status of [408, 429, 499, 500, 502, 503, 504, 522]) {
          const { server, repository } = await setting()
          server.faults.answer = { status, times: 4 }
          await pushImage(repository, ['latest'])
          expect(await repository.getManifest('latest')).toBeDefined()
        }
      },
    },
    {
      registry: 'fails for good',
      client: 'gives the status and what the registry said',
      check: async () => {
        const body = JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: 'the disk is full' }] })
        const { repository } = await setting({ answer: { status: 507, body, times: 1000 } })
        await expect(repository.getManifest('latest')).rejects.toThrow(
          /answered 507 \(UNSUPPORTED: the disk is full\)/,
        )
      },
    },
  ],
}
