import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../digest.ts'
import { type Image, type ImageConfig, MEDIA_TYPES, type Repository } from '../image.ts'
import { manifestJson } from '../image-json.ts'
import { imageLayers, readImage } from '../read-image.ts'
import { parseReference } from '../reference.ts'
import { entriesLayer } from '../tar/walk.ts'
import { type AddedLayer, addedLayer, writeImage } from '../write-image.ts'
import { writeLayer } from '../write-layer.ts'
import { archiveTar, dockerArchive, fileOf, layoutArchive } from './archive.ts'
import { type Daemon, daemonImages } from './daemon.ts'
import { openEngine } from './engine.ts'
import type { LayerShelf } from './shelf.ts'
import { type FakeEngine, fakeEngine } from './testing/fake-engine.ts'

let temporary: string
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'daemon-test-'))
})
afterEach(() => rmSync(temporary, { recursive: true, force: true }))

const owner = { uid: 0, gid: 0 }

function source(text: string) {
  return entriesLayer([
    { type: 'file', name: `/${text}`, mode: 0o644, ...owner, content: Buffer.from(text.repeat(100)) },
  ])
}

async function tarOf(text: string): Promise<Buffer> {
  const blocks: Buffer[] = []
  for await (const block of source(text).blocks()) blocks.push(Buffer.from(block))
  return Buffer.concat(blocks)
}

async function configOf(...layers: readonly string[]): Promise<ImageConfig> {
  const tars = await Promise.all(layers.map(tarOf))
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '1980-01-01T00:00:01Z',
    config: { Env: ['PATH=/bin'], Labels: { of: 'base' } },
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    history: layers.map((layer) => ({ created: '1980-01-01T00:00:01Z', created_by: layer })),
  }
}

async function open(engine: FakeEngine): Promise<Daemon> {
  return daemonImages(await openEngine(engine.address), { temporary })
}

async function found(daemon: Daemon, name: string): Promise<Image> {
  const image = await readImage(daemon.repository(parseReference(name)), 'latest')
  if (image === undefined) throw new Error(`no image ${name}`)
  return image
}

async function added(repository: Repository, text: string): Promise<AddedLayer> {
  return addedLayer(await writeLayer(source(text), repository), { created_by: text })
}

async function write(repository: Repository, base: Image, layers: readonly AddedLayer[], tags = ['latest']) {
  return writeImage({
    repository,
    tags,
    base,
    layers,
    created: '1980-01-01T00:00:01Z',
    config: { os: 'linux', architecture: 'amd64', config: { Labels: { of: 'app' } } },
    sparse: true,
  })
}

/** Sizes of the layers in the last archive, in the order in which they stand in it. */
function sentLayers(engine: FakeEngine): readonly number[] {
  return [...(engine.archives.at(-1) ?? [])].flatMap(([name, size]) => (name.endsWith('.tar') ? [size] : []))
}

test('an image is read as it is told, and has the ID of the daemon', async () => {
  await using engine = await fakeEngine()
  const config = await configOf('one', 'two')
  const id = engine.image('base', config)
  using daemon = await open(engine)
  const image = await found(daemon, 'base')
  expect(image.digest).toBe(id)
  expect(image.config).toMatchObject({ ...config, history: config.history })
  expect(imageLayers(image).map(({ diffId }) => diffId)).toEqual(config.rootfs.diff_ids)
  expect(await readImage(daemon.repository(parseReference('other')), 'latest')).toBeUndefined()
})

test('an image whose history the daemon cannot tell is one without', async () => {
  await using engine = await fakeEngine('podman')
  engine.image('base', { ...(await configOf('one')), history: [{ created_by: 'one' }] })
  using daemon = await open(engine)
  expect((await found(daemon, 'base')).config.history).toBeUndefined()
})

test('an ID, in full or short, is a name', async () => {
  await using engine = await fakeEngine()
  const id = engine.image('base', await configOf('one'))
  const hex = id.slice('sha256:'.length)
  engine.image('0123456789ab', await configOf('two'))
  using daemon = await open(engine)
  await readImage(daemon.repository(parseReference(hex)), 'latest')
  await readImage(daemon.repository(parseReference(id)), hex)
  await found(daemon, '0123456789ab')
  const asked = engine.requests.filter((request) => request.endsWith('/json'))
  expect(asked).toEqual([
    `GET /images/${hex}/json`,
    `GET /images/${id}/json`,
    'GET /images/0123456789ab/json',
  ])
})

describe.each(['graph', 'podman'] as const)('an image sent to %s', (store) => {
  test('leaves out the layers of its base', async () => {
    await using engine = await fakeEngine(store)
    engine.image('base', await configOf('one', 'two'))
    using daemon = await open(engine)
    const base = await found(daemon, 'base')
    const repository = daemon.repository(parseReference('registry.example:5000/app'))
    const image = await write(repository, base, [await added(repository, 'three')], ['v1', 'v2'])
    expect(sentLayers(engine)).toEqual([0, 0, (await tarOf('three')).length])
    expect(image.digest).toBe(digestOf(image.configBytes))
    const names = ['v1', 'v2'].map((tag) => `registry.example:5000/app:${tag}`)
    for (const name of names) expect((await readImage(repository, name.slice(-2)))?.digest).toBe(image.digest)
  })

  test('is only named where there is the same', async () => {
    await using engine = await fakeEngine(store)
    engine.image('base', await configOf('one'))
    const first = await open(engine)
    const app = first.repository(parseReference('app'))
    const before = await write(app, await found(first, 'base'), [await added(app, 'two')])
    first[Symbol.dispose]()
    using daemon = await open(engine)
    const base = await found(daemon, 'base')
    await readImage(daemon.repository(parseReference(before.digest.slice(7))), 'latest')
    const repository = daemon.repository(parseReference('app'))
    const image = await write(repository, base, [await added(repository, 'two')], ['again'])
    expect(image.digest).toBe(before.digest)
    expect(engine.archives).toHaveLength(1)
  })

  test.each(['status', 'stream', 'nothing'] as const)(
    'goes with all its layers after a refusal (%s)',
    async (refusal) => {
      await using engine = await fakeEngine(store)
      const config = await configOf('one', 'two')
      engine.image('base', config)
      engine.saved = await archiveOf(config, ['one', 'two'])
      engine.refusals.push(refusal)
      using daemon = await open(engine)
      const repository = daemon.repository(parseReference('app'))
      await write(repository, await found(daemon, 'base'), [await added(repository, 'three')])
      const sizes = await Promise.all(['one', 'two', 'three'].map(async (text) => (await tarOf(text)).length))
      expect(sentLayers(engine)).toEqual(sizes)
      expect(readdirSync(temporary)).toEqual([])
    },
  )

  test('says why it was not taken at all', async () => {
    await using engine = await fakeEngine(store)
    const config = await configOf('one')
    engine.image('base', config)
    engine.saved = await archiveOf(config, ['one'])
    engine.refusals.push('stream', 'stream')
    using daemon = await open(engine)
    const repository = daemon.repository(parseReference('app'))
    const base = await found(daemon, 'base')
    await expect(write(repository, base, [await added(repository, 'two')])).rejects.toMatchObject({
      code: 'OCI_DAEMON_REFUSED',
      message: 'the container daemon would not load the image: no such file',
    })
  })
})

test('the classic store needs a layer again where one below it changed, podman does not', async () => {
  const sent = async (store: 'graph' | 'podman') => {
    await using engine = await fakeEngine(store)
    engine.image('base', await configOf('one'))
    engine.image('app', await configOf('one', 'old', 'kept'))
    using daemon = await open(engine)
    const base = await found(daemon, 'base')
    const previous = await found(daemon, 'app')
    const repository = daemon.repository(parseReference('app'))
    const layers = [await added(repository, 'new'), await added(repository, 'kept')]
    expect(previous.config.rootfs.diff_ids).toContain(layers[1]?.diffId)
    await write(repository, base, layers)
    return sentLayers(engine)
  }
  const [changed, kept] = [(await tarOf('new')).length, (await tarOf('kept')).length]
  expect(await sent('graph')).toEqual([0, changed, kept])
  expect(await sent('podman')).toEqual([0, changed, 0])
})

test('a layer that only the daemon has is asked back from it', async () => {
  await using engine = await fakeEngine()
  const config = await configOf('old', 'kept')
  engine.image('base', await configOf('new'))
  engine.image('app', config)
  engine.saved = await archiveOf(config, ['old', 'kept'])
  using daemon = await open(engine)
  const base = await found(daemon, 'base')
  const [, kept] = imageLayers(await found(daemon, 'app'))
  const repository = daemon.repository(parseReference('app'))
  await write(repository, base, [kept as AddedLayer])
  expect(sentLayers(engine)).toEqual([0, (await tarOf('kept')).length])
})

test('a layer from the shelf is checked, and a broken one is asked back from the daemon', async () => {
  await using engine = await fakeEngine()
  const config = await configOf('old', 'kept')
  engine.image('base', await configOf('new'))
  engine.image('app', config)
  engine.saved = await archiveOf(config, ['old', 'kept'])
  const tar = await tarOf('kept')
  const discarded: string[] = []
  const onShelf = { content: Buffer.from(tar) }
  const shelf: LayerShelf = {
    find: (diffId) =>
      diffId === digestOf(tar) && discarded.length === 0
        ? { diffId, size: tar.length, open: () => [onShelf.content] }
        : undefined,
    discard: (diffId) => void discarded.push(diffId),
    add: () => undefined,
    keepOnly: () => {},
  }
  const store = async () => {
    using daemon = daemonImages(await openEngine(engine.address), { temporary, shelf })
    const base = await found(daemon, 'base')
    const [, kept] = imageLayers(await found(daemon, 'app'))
    await write(daemon.repository(parseReference('app:2')), base, [kept as AddedLayer], ['2'])
    return engine.requests.filter((request) => request.startsWith('GET /images/get')).length
  }
  expect(await store()).toBe(0)
  onShelf.content[0] = 1
  engine.image('base', await configOf('newer'))
  expect(await store()).toBe(1)
  expect(discarded).toEqual([digestOf(tar)])
  expect(sentLayers(engine).at(-1)).toBe(tar.length)
})

test("containerd's store is sent new layers only, its own blobs by their digests there", async () => {
  await using engine = await fakeEngine('containerd')
  const config = await configOf('one')
  const bytes = Buffer.from(JSON.stringify(config))
  const pulled = {
    mediaType: MEDIA_TYPES.dockerLayerGzip,
    digest: digestOf('the compressed layer'),
    size: 20,
  }
  const manifest = Buffer.from(
    manifestJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: { mediaType: MEDIA_TYPES.dockerConfig, digest: digestOf(bytes), size: bytes.length },
      layers: [pulled],
    }),
  )
  const id = engine.image('base', config, digestOf(manifest))
  const blobs = [
    { ...pulled, open: () => [Buffer.from('the compressed layer')] },
    { digest: digestOf(bytes), size: bytes.length, open: () => [bytes] },
  ]
  engine.saved = await collected(archiveTar(layoutArchive({ digest: id, bytes: manifest }, blobs, [])))
  using daemon = await open(engine)
  const repository = daemon.repository(parseReference('app'))
  const image = await write(repository, await found(daemon, 'base'), [await added(repository, 'two')])

  const tar = await tarOf('two')
  const sent = engine.archives.at(-1) ?? new Map<string, number>()
  const nameOf = (digest: string) => `blobs/${digest.replace(':', '/')}`
  expect(sent.get(nameOf(digestOf(tar)))).toBe(tar.length)
  expect(sent.has(nameOf(pulled.digest))).toBe(false)
  const stored = JSON.parse(engine.text(nameOf(image.digest)))
  expect(stored.layers).toEqual([
    { mediaType: MEDIA_TYPES.ociLayerGzip, size: 20, digest: pulled.digest },
    { mediaType: MEDIA_TYPES.ociLayer, size: tar.length, digest: digestOf(tar) },
  ])
  expect(JSON.parse(engine.text('index.json')).manifests[0].annotations).toMatchObject({
    'io.containerd.image.name': 'docker.io/library/app:latest',
  })
})

test('a daemon that hangs up is told apart from one that is not there', async () => {
  await using engine = await fakeEngine()
  engine.image('base', await configOf('one'))
  engine.refusals.push('hang-up', 'hang-up', 'hang-up', 'hang-up', 'hang-up', 'hang-up')
  using daemon = await open(engine)
  const repository = daemon.repository(parseReference('app'))
  const base = await found(daemon, 'base')
  await expect(write(repository, base, [await added(repository, 'two')])).rejects.toMatchObject({
    code: 'OCI_DAEMON_CONNECTION_LOST',
    class: 'infrastructure',
  })
  const nowhere = { kind: 'socket', path: join(temporary, 'none.sock') } as const
  await expect(openEngine(nowhere)).rejects.toMatchObject({
    code: 'OCI_DAEMON_UNREACHABLE',
    subject: `unix://${nowhere.path}`,
  })
})

test('all connections are open from the beginning', async () => {
  await using engine = await fakeEngine()
  engine.image('base', await configOf('one'))
  using daemon = await open(engine)
  const atFirst = engine.connections()
  expect(atFirst).toBeGreaterThan(1)
  await found(daemon, 'base')
  expect(engine.connections()).toBe(atFirst)
})

test('a lost connection is made again only where there is no other', async () => {
  await using engine = await fakeEngine()
  engine.image('base', await configOf('one'))
  using daemon = await open(engine)
  const atFirst = engine.connections()
  for (let lost = 1; lost < atFirst; lost++) {
    await engine.hangUp(1)
    await Promise.all(['base', 'base', 'base'].map((name) => found(daemon, name)))
    expect(engine.connections()).toBe(atFirst)
  }
  await engine.hangUp(1)
  await Promise.all(['base', 'base', 'base'].map((name) => found(daemon, name)))
  expect(engine.connections()).toBe(atFirst + 1)
})

async function archiveOf(config: ImageConfig, layers: readonly string[]): Promise<Buffer> {
  const bytes = Buffer.from(JSON.stringify(config))
  const files = await Promise.all(layers.map(async (text) => fileOf(`${text}/layer.tar`, await tarOf(text))))
  return collected(archiveTar(dockerArchive({ digest: digestOf(bytes), bytes }, files, [])))
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of chunks) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}
