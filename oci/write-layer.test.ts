import { createHash } from 'node:crypto'
import { appendFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { containerPath } from '../core/container-path.ts'
import { mountedRoot } from '../core/root.ts'
import { decompress } from './decompress.ts'
import { digestOf } from './digest.ts'
import type { Repository } from './image.ts'
import type { Compression } from './layer-source.ts'
import { pattern } from './tar/testing/tree.ts'
import { directoryLayer } from './tar/walk.ts'
import { memoryRepository } from './testing/index.ts'
import { collect, temporaryDirectory } from './testing/temporary.ts'
import { diffIdOf, writeLayer } from './write-layer.ts'

function layer(size = 5 << 20) {
  const host = temporaryDirectory()
  writeFileSync(`${host}/file`, pattern(size))
  const path = containerPath('/layers/a/b')
  const root = mountedRoot('/', [{ path, host }])
  return { host, source: directoryLayer(root, path, { uid: 1, gid: 2, owned: [] }) }
}

describe.each([
  { kind: 'gzip' },
  { kind: 'gzip', level: 6 },
  { kind: 'zstd' },
  { kind: 'none' },
] satisfies Compression[])('$kind $level', (compression) => {
  test('stores the layer and knows its sums', async () => {
    const { source } = layer()
    const tar = await collect(source.blocks())
    const repository = memoryRepository()
    const seen: Buffer[] = []
    const written = await writeLayer(source, repository, {
      compression,
      consumer: { start: () => seen.splice(0), block: (bytes) => void seen.push(Buffer.from(bytes)) },
    })
    expect(written).toMatchObject({ diffId: digestOf(tar), size: tar.length })
    const blob = repository.store.blobs.get(written.digest) as Uint8Array
    expect(digestOf(blob)).toBe(written.digest)
    expect(blob.length).toBe(written.compressedSize)
    expect((await collect(decompress([blob]))).equals(tar)).toBe(true)
    expect(Buffer.concat(seen).equals(tar)).toBe(true)
    expect(await diffIdOf(source)).toEqual({ diffId: written.diffId, size: written.size })
  })
})

test('gzip is what one gets without asking', async () => {
  expect((await writeLayer(layer().source, memoryRepository())).mediaType).toBe(
    'application/vnd.oci.image.layer.v1.tar+gzip',
  )
})

test('a failed upload is replayed, and the consumer starts anew', async () => {
  const { source } = layer()
  const tar = await collect(source.blocks())
  const memory = memoryRepository()
  const flaky: Repository = {
    ...memory,
    async putBlob(blob) {
      // As a registry does that loses the connection in the middle.
      for await (const _ of blob.open()) break // before the first block
      let count = 0
      for await (const _ of blob.open()) if (++count === 3) break
      return memory.putBlob(blob)
    },
  }
  let starts = 0
  let hash = createHash('sha256')
  const written = await writeLayer(source, flaky, {
    consumer: {
      start() {
        starts++
        hash = createHash('sha256')
      },
      async block(bytes) {
        await Promise.resolve()
        hash.update(bytes)
      },
    },
  })
  expect(starts).toBe(2)
  expect(written.diffId).toBe(digestOf(tar))
  expect(`sha256:${hash.digest('hex')}`).toBe(written.diffId)
})

test('a file that grows meanwhile fails the layer and stores nothing', async () => {
  const { host, source } = layer(3 << 20)
  const repository = memoryRepository()
  let blocks = 0
  const writing = writeLayer(source, repository, {
    consumer: {
      start() {},
      block() {
        if (++blocks === 1) appendFileSync(`${host}/file`, 'more')
      },
    },
  })
  await expect(writing).rejects.toMatchObject({ code: 'OCI_FILE_CHANGED', subject: `${host}/file` })
  expect(repository.store.blobs.size).toBe(0)
})

test('a consumer that fails fails the layer', async () => {
  const consumer = {
    start() {},
    block: () => Promise.reject(new Error('disk full')),
  }
  await expect(writeLayer(layer().source, memoryRepository(), { consumer })).rejects.toThrow('disk full')
  await expect(diffIdOf(layer().source, consumer)).rejects.toThrow('disk full')
})

test('others get their turn while a layer is hashed', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  await diffIdOf(layer(20 << 20).source)
  clearInterval(timer)
  expect(turns).toBeGreaterThan(2)
})
