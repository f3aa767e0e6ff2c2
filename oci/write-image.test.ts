import { describe, expect, test } from 'vitest'
import type { ImageConfig, Repository } from './image.ts'
import { imageLayers, readImage } from './read-image.ts'
import { entriesLayer } from './tar/walk.ts'
import { memoryRepository, memoryStore, randomImage, validateImage } from './testing/index.ts'
import { addedLayer, familyOf, layerHistory, writeImage } from './write-image.ts'
import { writeLayer } from './write-layer.ts'

const TIME = '1980-01-01T00:00:01Z'

async function newLayer(repository: Repository, name: string, compression?: { kind: 'zstd' | 'none' }) {
  const source = entriesLayer([{ type: 'directory', name, mode: 0o755, uid: 0, gid: 0 }])
  const written = await writeLayer(source, repository, compression === undefined ? {} : { compression })
  return addedLayer(written, { created_by: `made ${name}` })
}

test('bytes as go-containerregistry writes them', async () => {
  const repository = memoryRepository()
  const image = await writeImage({
    repository,
    tags: ['a', 'b'],
    layers: [await newLayer(repository, '/x')],
    created: TIME,
    annotations: { b: '<2>', a: '1' },
    config: {
      os: 'linux',
      architecture: 'amd64',
      variant: '',
      config: {
        Labels: { 'io.z': '{"a":"<&>"}', 'io.a': 'x' },
        Env: ['A=b=c', 'PATH=/bin'],
        Entrypoint: ['/cnb/process/web'],
        Cmd: null,
        User: '1000:1000',
        WorkingDir: '/workspace',
        ExposedPorts: { '8080/tcp': {} },
        Healthcheck: { Test: ['CMD', 'true'], Interval: 1 },
      } as ImageConfig['config'],
      'x-unknown': { b: 1, a: 2 },
    } as never,
  })
  const [layer] = imageLayers(image)
  expect(Buffer.from(image.configBytes).toString()).toBe(
    `{"architecture":"amd64","created":"${TIME}","history":[{"created":"${TIME}","created_by":"made /x"}],"os":"linux",` +
      `"rootfs":{"type":"layers","diff_ids":["${layer?.diffId}"]},"config":{"Healthcheck":{"Test":` +
      '["CMD","true"],"Interval":1},"Entrypoint":["/cnb/process/web"],"Env":["A=b=c","PATH=/bin"],' +
      '"Labels":{"io.a":"x","io.z":"{\\"a\\":\\"\\u003c\\u0026\\u003e\\"}"},"User":"1000:1000","WorkingDir":"/workspace",' +
      '"ExposedPorts":{"8080/tcp":{}}},"x-unknown":{"a":2,"b":1}}',
  )
  const { config } = image.manifest
  expect(Buffer.from(image.manifestBytes).toString()).toBe(
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":' +
      `"application/vnd.oci.image.config.v1+json","size":${config.size},"digest":"${config.digest}"},"layers":[{"mediaType":` +
      `"application/vnd.oci.image.layer.v1.tar+gzip","size":${layer?.descriptor.size},"digest":"${layer?.descriptor.digest}"}],` +
      '"annotations":{"a":"1","b":"\\u003c2\\u003e"}}',
  )
  await validateImage(image)
  expect((await readImage(repository, 'b'))?.digest).toBe(image.digest)
})

test('a base comes first with its layers and history, and nothing of it is read', async () => {
  const store = memoryStore()
  const base = await randomImage({ repository: memoryRepository('r.example/base', store) })
  const repository = memoryRepository('r.example/app', store)
  const image = await writeImage({
    repository,
    tags: ['latest'],
    base,
    layers: [await newLayer(repository, '/app')],
    config: { ...base.config, config: { ...base.config.config, User: '1' } },
  })
  expect(repository.calls.filter((call) => call.startsWith('openBlob'))).toEqual([])
  await validateImage(image)
  expect(image.config.history?.map((entry) => entry.created_by)).toEqual(['layer 0', 'layer 1', 'made /app'])
  expect(image.config.rootfs.diff_ids.slice(0, 2)).toEqual(base.config.rootfs.diff_ids)
  expect(image.config.config?.Labels).toEqual({ seed: '1' })
})

test('a base elsewhere is copied, or left there', async () => {
  const base = await randomImage()
  const copied = await writeImage({
    repository: memoryRepository(),
    tags: [],
    base,
    layers: [],
    config: base.config,
  })
  await validateImage(copied)
  const repository = memoryRepository()
  await writeImage({ repository, tags: [], base, layers: [], config: base.config, sparse: true })
  expect(repository.store.blobs.size).toBe(1)
})

test('a layer of an earlier image is taken over', async () => {
  const earlier = await randomImage({ seed: 5, layers: 3 })
  const repository = memoryRepository()
  const reused = imageLayers(earlier)[1]
  const image = await writeImage({
    repository,
    tags: [],
    layers: reused === undefined ? [] : [reused],
    config: { os: 'linux', architecture: 'arm64' },
  })
  await validateImage(image)
  expect(image.config.rootfs.diff_ids).toEqual([earlier.config.rootfs.diff_ids[1]])
})

test('the same draft gives the same image', async () => {
  const digests = await Promise.all([1, 2].map(async () => (await randomImage({ seed: 9 })).digest))
  expect(digests[0]).toBe(digests[1])
})

describe('media types', () => {
  test('follow the base', async () => {
    const docker = await randomImage({ mediaTypes: 'docker' })
    await validateImage(docker)
    expect(familyOf(docker)).toBe('docker')
    const repository = memoryRepository()
    const onDocker = await writeImage({
      repository,
      tags: [],
      base: docker,
      layers: [await newLayer(repository, '/a'), await newLayer(repository, '/b', { kind: 'none' })],
      config: docker.config,
    })
    await validateImage(onDocker)
    expect(onDocker.manifest.layers.map(({ mediaType }) => mediaType.replace(/.*rootfs/, ''))).toEqual([
      '.diff.tar.gzip',
      '.diff.tar.gzip',
      '.diff.tar.gzip',
      '.diff.tar',
    ])
  })

  test('can be chosen: Docker layers become OCI layers without another byte', async () => {
    const docker = await randomImage({ mediaTypes: 'docker' })
    const oci = await writeImage({
      repository: docker.repository,
      tags: [],
      base: docker,
      layers: [],
      config: docker.config,
      mediaTypes: 'oci',
    })
    await validateImage(oci)
    expect(oci.manifest.layers.map((layer) => layer.digest)).toEqual(
      docker.manifest.layers.map((layer) => layer.digest),
    )
  })

  test('zstd does not go into a Docker manifest', async () => {
    const repository = memoryRepository()
    const draft = {
      repository,
      tags: [],
      layers: [await newLayer(repository, '/a', { kind: 'zstd' })],
      config: { os: 'linux', architecture: 'amd64' },
      mediaTypes: 'docker',
    } as const
    await expect(writeImage(draft)).rejects.toMatchObject({ code: 'OCI_MEDIA_TYPE_MIXED' })
  })
})

test('history of layers only', async () => {
  const config = (await randomImage()).config
  const entry = { created_by: 'x' }
  expect(layerHistory({ ...config, history: [entry, { empty_layer: true }, entry] })).toEqual([entry, entry])
  // One that does not fit the layers says nothing about any of them.
  expect(layerHistory({ ...config, history: [entry] })).toEqual([{}, {}])
  const { history: _, ...without } = config
  expect(layerHistory(without)).toEqual([{}, {}])
})
