import { describe, expect, test } from 'vitest'
import { copyBlob, copyImage, eachBlob } from './copy.ts'
import { digestOf } from './digest.ts'
import { imageLayers } from './read-image.ts'
import {
  type MemoryRepository,
  memoryRepository,
  memoryStore,
  randomImage,
  validateImage,
} from './testing/index.ts'

test('a blob is copied once, mounted where that is possible', async () => {
  const store = memoryStore()
  const image = await randomImage({ repository: memoryRepository('r.example/a', store) })
  const blob = image.manifest.config
  const beside = memoryRepository('r.example/b', store)
  // One store in memory is one pool of blobs, so hide it as a registry does.
  const mounting = { ...beside, blobSize: async () => undefined }
  expect(await copyBlob(blob, image.repository, mounting)).toBe('mounted')
  const elsewhere = memoryRepository()
  expect(await copyBlob(blob, image.repository, elsewhere)).toBe('copied')
  expect(await copyBlob(blob, image.repository, elsewhere)).toBe('present')
})

test('an image keeps its bytes', async () => {
  const image = await randomImage({ layers: 6, mediaTypes: 'docker' })
  const to = memoryRepository('other.example/x')
  const copy = await copyImage(image, to, ['1', '2'])
  await validateImage(copy)
  expect(copy.digest).toBe(image.digest)
  expect([...to.store.tags.keys()]).toEqual(['other.example/x:1', 'other.example/x:2'])
  // The manifest comes last, when all its blobs are there.
  expect(to.calls.at(-1)).toMatch(/^(putManifest|getManifest|blobSize|openBlob)/)
  expect(to.calls.findIndex((call) => call.startsWith('putManifest'))).toBeGreaterThan(
    to.calls.findLastIndex((call) => call.startsWith('putBlob')),
  )
})

test('a configuration that was read is not read again', async () => {
  const image = await randomImage()
  const from = memoryRepository('x', (image.repository as MemoryRepository).store)
  await validateImage(await copyImage({ ...image, repository: from }, memoryRepository(), []))
  expect(from.calls).not.toContain(`openBlob ${image.manifest.config.digest}`)
})

test('a layer kept elsewhere stays there', async () => {
  const image = await randomImage()
  const [first, ...layers] = image.manifest.layers
  const foreign = { ...first, urls: ['https://example.com/layer'] } as typeof image.manifest.config
  const to = memoryRepository()
  await copyImage({ ...image, manifest: { ...image.manifest, layers: [foreign, ...layers] } }, to, [])
  expect(to.store.blobs.has(foreign.digest)).toBe(false)
  expect(to.store.blobs.size).toBe(2)
})

test('what is damaged on the way is not stored', async () => {
  const image = await randomImage()
  const [layer] = imageLayers(image)
  const from = {
    ...image.repository,
    async *openBlob() {
      yield Buffer.alloc(layer?.descriptor.size ?? 0)
    },
  }
  const to = memoryRepository()
  await expect(copyBlob(layer?.descriptor ?? image.manifest.config, from, to)).rejects.toMatchObject({
    code: 'OCI_DIGEST_MISMATCH',
  })
  expect(to.store.blobs.size).toBe(0)
})

describe('several blobs', () => {
  const blobs = Array.from({ length: 20 }, (_, index) => ({ digest: digestOf(String(index % 10)) }))

  test('each once, four at a time', async () => {
    let now = 0
    let most = 0
    const seen: string[] = []
    await eachBlob(blobs, async ({ digest }) => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(digest)
      now--
    })
    expect(most).toBe(4)
    expect(new Set(seen).size).toBe(10)
    expect(seen.length).toBe(10)
  })

  test('the first failure ends it, after what had begun', async () => {
    let begun = 0
    const work = async () => {
      begun++
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('no')
    }
    await expect(eachBlob(blobs, work)).rejects.toThrow('no')
    expect(begun).toBe(4)
  })
})
