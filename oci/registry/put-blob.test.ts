import { randomBytes } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import { digestOf } from '../digest.ts'
import { parseReference } from '../reference.ts'
import { openSharing } from '../sharing/sharing.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { createRegistry } from './registry.ts'
import { startTestRegistry, type TestRegistry } from './testing/server.ts'
import { pushImage, read, sourceOf } from './testing/suite.ts'
import type { RegistryRepository } from './types.ts'

const http = createHttpClient()
afterAll(() => http.close())

let server: TestRegistry
beforeEach(async () => {
  server = await startTestRegistry()
  onTestFinished(() => server.close())
})

/** A repository as a process of its own sees it: nothing is shared but the folder. */
function repository(name: string, directory?: string): RegistryRepository {
  const registry = createRegistry({
    http,
    retry: { delay: 1 },
    ...(directory === undefined ? {} : { sharing: openSharing(directory) }),
  })
  return registry.repository(parseReference(`${server.host}/${name}`))
}

/** How often the bytes of a blob arrived. */
const uploads = () => server.requests.get('upload-put') ?? 0
/** Files in the folders of a folder. */
const files = (folder: string) =>
  readdirSync(folder).flatMap((below) =>
    readdirSync(join(folder, below)).map((name) => join(folder, below, name)),
  )
const mounts = () => server.requests.get('mount') ?? 0

describe('clients that share a folder', () => {
  const bytes = randomBytes(200_000)
  const digest = digestOf(bytes)
  const source = () => sourceOf(bytes, 'known')
  const names = ['aa', 'bb', 'cc', 'dd', 'ee']

  test('send a blob to one repository once', async () => {
    const directory = temporaryDirectory()
    const stored = await Promise.all(names.map(() => repository('app', directory).putBlob(source())))
    expect(new Set(stored.map((blob) => blob.digest))).toEqual(new Set([digest]))
    expect(uploads()).toBe(1)
    expect(readdirSync(join(directory, 'leases'))).toEqual([])
  })

  test('send a blob to several repositories once, and mount it from there', async () => {
    const directory = temporaryDirectory()
    await Promise.all(names.map((name) => repository(name, directory).putBlob(source())))
    expect([uploads(), mounts()]).toEqual([1, names.length - 1])
    for (const name of names) {
      expect((await read(repository(name).openBlob(digest, bytes.length))).equals(bytes)).toBe(true)
    }
  })

  test('mount into one repository once', async () => {
    const directory = temporaryDirectory()
    await repository('aa', directory).putBlob(source())
    server.resetCounters()
    await Promise.all(names.map(() => repository('bb', directory).putBlob(source())))
    expect([uploads(), mounts()]).toEqual([0, 1])
  })

  test('mount also what was streamed before its digest was known', async () => {
    const directory = temporaryDirectory()
    await repository('aa', directory).putBlob(sourceOf(bytes, 'unknown'))
    server.resetCounters()
    expect(await repository('bb', directory).putBlob(source())).toEqual({ digest, size: bytes.length })
    expect([uploads(), mounts()]).toEqual([0, 1])
  })

  test.each(['upload', 'error'] as const)('upload where mounts are refused by an %s', async (refusal) => {
    const directory = temporaryDirectory()
    server.faults.refuseMounts = refusal
    await Promise.all([...names, ...names].map((name) => repository(name, directory).putBlob(source())))
    for (const name of names) {
      expect((await read(repository(name).openBlob(digest, bytes.length))).equals(bytes)).toBe(true)
    }
    expect(uploads()).toBe(names.length)
    expect(server.store.uploads.size).toBe(0)
  })

  test('upload again what the registry has lost since', async () => {
    const directory = temporaryDirectory()
    await repository('aa', directory).putBlob(source())
    server.store.repositories.clear()
    await repository('bb', directory).putBlob(source())
    await repository('aa', directory).putBlob(source())
    expect(uploads()).toBe(2)
    expect([...server.store.repositories.keys()].toSorted()).toEqual(['aa', 'bb'])
    expect(server.store.uploads.size).toBe(0)
  })

  test('go on where another fails', async () => {
    const directory = temporaryDirectory()
    const failing = {
      ...source(),
      async *open(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 1000)
        throw new RangeError('its disk is gone')
      },
    }
    const results = await Promise.allSettled([
      repository('aa', directory).putBlob(failing),
      repository('bb', directory).putBlob(source()),
      repository('cc', directory).putBlob(source()),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect([...server.store.repositories.keys()].filter((name) => name !== 'aa').toSorted()).toEqual([
      'bb',
      'cc',
    ])
  })

  test('take no place from the folder that is none', async () => {
    const directory = temporaryDirectory()
    await repository('aa', directory).putBlob(source())
    const places = join(directory, 'places')
    for (const text of ['../../token', 'a?x=1', '', 'A', 'a\r\nx']) {
      for (const file of files(places)) writeFileSync(file, text)
      server.resetCounters()
      await repository(`to-${randomBytes(4).toString('hex')}`, directory).putBlob(source())
      expect([uploads(), mounts()]).toEqual([1, 0])
    }
  })

  test('lose nothing where the folder cannot be written to', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    await Promise.all(names.map((name) => repository(name, file).putBlob(source())))
    expect(uploads()).toBe(names.length)
  })
})

test('clients that share nothing lose nothing', async () => {
  const bytes = randomBytes(100_000)
  await Promise.all(
    ['aa', 'aa', 'aa', 'bb', 'bb'].map((name) => repository(name).putBlob(sourceOf(bytes, 'known'))),
  )
  expect(mounts()).toBe(0)
  for (const name of ['aa', 'bb']) expect(await repository(name).blobSize(digestOf(bytes))).toBe(bytes.length)
})

test('a manifest is sent again where the registry does not know its blobs yet', async () => {
  const there = repository('app')
  server.faults.answer = {
    status: 400,
    kinds: ['manifest-put'],
    body: '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}',
    times: 2,
  }
  const { digest } = await pushImage(there, ['latest'])
  expect(await there.manifestDigest('latest')).toBe(digest)
  expect(server.requests.get('manifest-put')).toBe(3)
})
