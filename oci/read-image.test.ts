import { describe, expect, test } from 'vitest'
import { type Digest, digestOf } from './digest.ts'
import { type Descriptor, type Image, MEDIA_TYPES } from './image.ts'
import { indexJson } from './image-json.ts'
import { choosePlatform, hostPlatform } from './platform.ts'
import { imageLayers, readImage } from './read-image.ts'
import { type MemoryRepository, memoryRepository, randomImage, validateImage } from './testing/index.ts'
import { collect } from './testing/temporary.ts'

const AMD64 = { os: 'linux', architecture: 'amd64' }
const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' }

function descriptor(image: Image, platform?: Descriptor['platform']): Descriptor {
  return {
    mediaType: image.mediaType,
    digest: image.digest,
    size: image.manifestBytes.length,
    ...(platform === undefined ? {} : { platform }),
  }
}

async function putIndex(
  repository: MemoryRepository,
  manifests: Descriptor[],
  tag: string,
): Promise<Descriptor> {
  const bytes = Buffer.from(indexJson({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }))
  const digest = await repository.putManifest(bytes, MEDIA_TYPES.ociIndex, [tag])
  return { mediaType: MEDIA_TYPES.ociIndex, digest, size: bytes.length }
}

test('nothing there is undefined', async () => {
  expect(await readImage(memoryRepository(), 'latest')).toBeUndefined()
  expect(await readImage(memoryRepository(), digestOf('x'))).toBeUndefined()
})

test.each(['oci', 'docker'] as const)('an image of %s types, by tag and digest', async (mediaTypes) => {
  const repository = memoryRepository()
  const written = await randomImage({ repository, mediaTypes, tags: ['1'] })
  for (const reference of ['1', written.digest]) {
    const image = await readImage(repository, reference, ARM64)
    expect(image).toEqual(written)
    await validateImage(image as Image)
  }
})

describe('an index', () => {
  test('gives the image of the platform', async () => {
    const repository = memoryRepository()
    const amd = await randomImage({ repository, seed: 1, tags: [] })
    const arm = await randomImage({ repository, seed: 2, tags: [], platform: ARM64 })
    const index = await putIndex(repository, [descriptor(amd, AMD64), descriptor(arm, ARM64)], 'multi')
    expect((await readImage(repository, 'multi', AMD64))?.digest).toBe(amd.digest)
    expect((await readImage(repository, 'multi', { os: 'linux', architecture: 'arm64' }))?.digest).toBe(
      arm.digest,
    )
    const host = hostPlatform().architecture === 'arm64' ? arm : amd
    expect((await readImage(repository, 'multi'))?.digest).toBe(host.digest)
    await putIndex(repository, [{ ...index, platform: AMD64 }], 'nested')
    expect((await readImage(repository, 'nested', AMD64))?.digest).toBe(amd.digest)
  })

  test('without it says what there is', async () => {
    const repository = memoryRepository()
    const arm = await randomImage({ repository, tags: [], platform: ARM64 })
    const attestation = { ...descriptor(arm), platform: { os: 'unknown', architecture: 'unknown' } }
    await putIndex(repository, [descriptor(arm, ARM64), attestation], 'multi')
    await expect(readImage(repository, 'multi', AMD64)).rejects.toMatchObject({
      code: 'OCI_PLATFORM_MISSING',
      hint: 'it has linux/arm64/v8',
    })
  })

  test('that has no end has one', async () => {
    const repository = memoryRepository()
    const image = await randomImage({ repository, tags: [] })
    let inner = descriptor(image)
    for (let depth = 0; depth < 5; depth++) inner = await putIndex(repository, [inner], 'deep')
    await expect(readImage(repository, 'deep')).rejects.toMatchObject({ code: 'OCI_MANIFEST_UNSUPPORTED' })
  })

  test('that names what is not there', async () => {
    const repository = memoryRepository()
    const elsewhere = await randomImage()
    await putIndex(repository, [descriptor(elsewhere, AMD64)], 'broken')
    await expect(readImage(repository, 'broken', AMD64)).rejects.toMatchObject({ code: 'OCI_BLOB_MISSING' })
  })
})

test('the choice among variants', () => {
  const entry = (variant?: string): Descriptor => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(variant ?? ''),
    size: 1,
    platform: { os: 'linux', architecture: 'arm', ...(variant === undefined ? {} : { variant }) },
  })
  const choose = (entries: Descriptor[], variant?: string) =>
    choosePlatform(entries, {
      os: 'linux',
      architecture: 'arm',
      ...(variant === undefined ? {} : { variant }),
    })?.platform?.variant
  expect(choose([entry('v6'), entry('v7')], 'v7')).toBe('v7')
  expect(choose([entry('v6'), entry('v7')])).toBe('v6')
  expect(choose([entry('v6'), entry()])).toBeUndefined()
  expect(choose([entry('v6'), entry()], 'v7')).toBeUndefined()
  expect(choosePlatform([entry('v6')], { os: 'linux', architecture: 'arm', variant: 'v7' })).toBeUndefined()
  expect(choosePlatform([], AMD64)).toBeUndefined()
  const { platform: _, ...bare } = entry()
  expect(choosePlatform([bare], AMD64)).toBe(bare)
  expect(choosePlatform([bare, bare], AMD64)).toBeUndefined()
})

describe('what strangers answer', () => {
  const layer = { mediaType: MEDIA_TYPES.ociLayerGzip, digest: digestOf('layer'), size: 1 }
  const config = (text: string) => ({
    mediaType: MEDIA_TYPES.ociConfig,
    digest: digestOf(text),
    size: text.length,
  })
  const good = '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}'

  async function read(manifest: unknown, configText = good, mediaType: string = MEDIA_TYPES.ociManifest) {
    const repository = memoryRepository()
    await repository.putBlob({
      async *open() {
        yield Buffer.from(configText)
      },
    })
    const bytes = Buffer.from(typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
    await repository.putManifest(bytes, mediaType, ['x'])
    return readImage(repository, 'x')
  }

  test('is taken when it is right, also with nulls in it', async () => {
    const text =
      '{"os":"linux","architecture":"amd64","config":{"Env":null,"Labels":null,"Cmd":null},"history":null,"rootfs":{"type":"layers","diff_ids":null}}'
    const image = await read({ schemaVersion: 2, config: config(text), layers: [] }, text)
    expect(image?.config.rootfs.diff_ids).toEqual([])
    expect((await read({ schemaVersion: 2, config: config(good), layers: [] }))?.config.os).toBe('linux')
  })

  test.each([
    ['no JSON', '<html>', 'OCI_MANIFEST_INVALID'],
    ['a list', '[]', 'OCI_MANIFEST_INVALID'],
    ['null', 'null', 'OCI_MANIFEST_INVALID'],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, 'OCI_MANIFEST_INVALID'],
    ['no layers', { schemaVersion: 2, config: config(good) }, 'OCI_MANIFEST_INVALID'],
    [
      'a digest with a way up',
      { schemaVersion: 2, config: { ...config(good), digest: 'sha256:../x' }, layers: [] },
      'OCI_MANIFEST_INVALID',
    ],
    [
      'a negative size',
      { schemaVersion: 2, config: { ...config(good), size: -1 }, layers: [] },
      'OCI_MANIFEST_INVALID',
    ],
    [
      'a huge configuration',
      { schemaVersion: 2, config: { ...config(good), size: 2 ** 40 }, layers: [] },
      'OCI_MANIFEST_INVALID',
    ],
    [
      'more layers than diffIDs',
      { schemaVersion: 2, config: config(good), layers: [layer] },
      'OCI_CONFIG_INVALID',
    ],
    [
      'another size',
      { schemaVersion: 2, config: { ...config(good), size: 5 }, layers: [] },
      'OCI_DIGEST_MISMATCH',
    ],
    ['a missing configuration', { schemaVersion: 2, config: config('y'), layers: [] }, 'OCI_BLOB_MISSING'],
    ['a manifest of 5 MiB', `{"x":"${'x'.repeat(5 << 20)}"}`, 'OCI_MANIFEST_INVALID'],
  ])('%s', async (_, manifest, code) => {
    await expect(read(manifest)).rejects.toMatchObject({ code })
  })

  test.each([
    '[]',
    'x',
    '{}x',
    '{"rootfs":{"diff_ids":["sha256:short"]}}',
    '{"rootfs":{"diff_ids":[]},"config":[]}',
    '{"rootfs":{"diff_ids":[]},"config":{"Env":[1]}}',
    '{"rootfs":{"diff_ids":[]},"config":{"Labels":{"a":1}}}',
    '{"rootfs":{"diff_ids":[]},"os":5}',
    '{"rootfs":{"diff_ids":[]},"history":[5]}',
  ])('configuration %s', async (text) => {
    await expect(read({ schemaVersion: 2, config: config(text), layers: [] }, text)).rejects.toMatchObject({
      code: 'OCI_CONFIG_INVALID',
    })
  })

  test('an artifact is not an image', async () => {
    await expect(read({}, good, 'application/vnd.example+json')).rejects.toMatchObject({
      code: 'OCI_MANIFEST_UNSUPPORTED',
    })
  })

  test('a layer whose contents have another diffID', async () => {
    const repository = memoryRepository()
    const image = await randomImage({ repository })
    const other = imageLayers(await randomImage({ repository, seed: 2, tags: [] }))[0]
    const forged: Image = {
      ...image,
      config: {
        ...image.config,
        rootfs: { type: 'layers', diff_ids: [other?.diffId as Digest, other?.diffId as Digest] },
      },
    }
    for (const forgedLayer of imageLayers(forged)) {
      await expect(collect(forgedLayer.open())).rejects.toMatchObject({ code: 'OCI_DIGEST_MISMATCH' })
    }
    await expect(validateImage(forged)).rejects.toThrow('the parsed configuration differs')
  })

  test('a layer that was damaged where it is stored', async () => {
    const repository = memoryRepository()
    const image = await randomImage({ repository })
    const [first] = imageLayers(image)
    const blob = repository.store.blobs.get(first?.descriptor.digest as Digest) as Uint8Array
    blob[blob.length - 1] = (blob[blob.length - 1] as number) ^ 1
    await expect(validateImage(image)).rejects.toThrow(first?.descriptor.digest)
  })
})
