import { beforeEach, describe, expect, it } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { type Event, eventStream } from '../../core/event.ts'
import { digestOf } from '../../oci/digest.ts'
import { readImage } from '../../oci/read-image.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import { type MemoryStore, memoryRepository, memoryStore, validateImage } from '../../oci/testing/index.ts'
import type { ImageAccess } from '../context.ts'
import type { Cache } from './cache.ts'
import { cacheImage } from './image.ts'
import { contentOf, fill, metadataOf, readLayer, shaOf } from './testing/content.ts'

const NAME = 'registry.example/team/cache:1'
const first = { modules: 'the modules', compiler: 'the compiler' }
const second = { modules: 'the modules', compiler: 'another compiler' }
const empty = { sbom: { sha: '' }, buildpacks: [] }

let store: MemoryStore
let calls: string[][]
let events: Event[]
let access: ImageAccess
beforeEach(() => {
  store = memoryStore()
  calls = []
  events = []
  access = {
    repository: (reference) => {
      const repository = memoryRepository(repositoryName(reference), store)
      calls.push(repository.calls as string[])
      return repository
    },
  }
})

/** As a new process opens it. */
function open(options?: Parameters<typeof cacheImage>[3]): Cache {
  return cacheImage(
    NAME,
    access,
    eventStream((event) => void events.push(event)),
    options,
  )
}

async function stored() {
  const image = await readImage(access.repository(parseReference(NAME)), '1')
  if (image === undefined) throw new Error('there is no cache image')
  return image
}

describe('a cache image (cnb-spec CA-4)', () => {
  it('is empty before it was pushed', async () => {
    expect(await open().exists()).toBe(false)
    expect(await open().metadata()).toEqual(empty)
    expect(events).toEqual([])
  })

  it('gives back what was committed, as an image that the Go lifecycle reads', async () => {
    await fill(open(), first)
    expect(await open().exists()).toBe(true)
    expect(await contentOf(open())).toEqual(first)
    const image = await stored()
    expect(image.mediaType).toBe('application/vnd.oci.image.manifest.v1+json')
    expect(image.config).toMatchObject({ os: 'linux', created: '1980-01-01T00:00:01Z' })
    expect(Object.keys(image.config.config?.Labels ?? {})).toEqual(['io.buildpacks.lifecycle.cache.metadata'])
    expect(image.config.rootfs.diff_ids).toEqual([shaOf(first, 'modules'), shaOf(first, 'compiler')])
  })

  it('reuses layers without reading or sending them, and drops others', async () => {
    await fill(open(), first)
    const { layers } = (await stored()).manifest
    calls = []
    expect(await fill(open(), second)).toEqual(['modules'])
    const seen = calls.flat()
    expect(seen).not.toContain(`openBlob ${layers[0]?.digest}`)
    expect(seen.filter((call) => call === 'putBlob ?')).toHaveLength(1)
    expect(await contentOf(open())).toEqual(second)
  })

  it('is the same image for the same content, whichever layer was ready first', async () => {
    await fill(open(), first)
    const { digest } = await stored()
    await using writer = await open().begin()
    for (const name of ['compiler', 'modules'] as const)
      expect(await writer.reuse(shaOf(first, name))).toBe(true)
    await writer.commit(metadataOf(first))
    expect((await stored()).digest).toBe(digest)
  })

  it('knows its new content after a commit', async () => {
    const cache = open()
    await fill(cache, first)
    await fill(cache, second)
    expect(await contentOf(cache)).toEqual(second)
  })

  it('leaves the image that it replaces, or deletes it where that is asked for', async () => {
    await fill(open(), first)
    const { digest } = await stored()
    await fill(open(), second)
    expect(store.manifests.has(digest)).toBe(true)
    const deleting = () => open({ deletesReplaced: true })
    const replaced = (await stored()).digest
    await fill(deleting(), first)
    expect(store.manifests.has(replaced)).toBe(false)
    // The same image is not deleted.
    await fill(deleting(), first)
    expect(await contentOf(open())).toEqual(first)
    expect(events).toEqual([])
  })

  it('warns where the image that it replaces cannot be deleted', async () => {
    await fill(open(), first)
    const { repository } = access
    access = {
      repository: (reference) => ({
        ...repository(reference),
        deleteManifest: () => Promise.reject(new SlipwayError('OCI_ACCESS_DENIED', 'no')),
      }),
    }
    await fill(open({ deletesReplaced: true }), second)
    expect(await contentOf(open())).toEqual(second)
    expect(events).toMatchObject([{ type: 'warning', message: 'Unable to delete cache image: no' }])
  })

  it('has one empty layer where it has none', async () => {
    await fill(open(), {})
    const image = await stored()
    await validateImage(image)
    expect(image.config.rootfs.diff_ids).toEqual([digestOf(Buffer.alloc(1024))])
    expect(await contentOf(open())).toEqual({})
  })

  it('leaves nothing in the image of what was not committed or was given up', async () => {
    await fill(open(), first)
    const { digest } = await stored()
    {
      await using writer = await open().begin()
      const sink = await writer.add()
      sink.start()
      await sink.block(Buffer.from('half'))
    }
    expect((await stored()).digest).toBe(digest)
    await using writer = await open().begin()
    const sink = await writer.add()
    await sink.abandon()
    await writer.commit(metadataOf({}))
    expect(await contentOf(open())).toEqual({})
  })

  it('takes a layer that is read anew from its start, and one of many blocks', async () => {
    await using writer = await open().begin()
    const sink = await writer.add()
    sink.start()
    await sink.block(Buffer.from('a first try that is longer'))
    sink.start()
    const block = Buffer.alloc(70_000, 'x')
    // Its bytes are the maker's again after each call.
    for (let i = 0; i < 40; i++) {
      await sink.block(block)
      block.fill(i)
    }
    const whole = Buffer.concat([
      Buffer.alloc(70_000, 'x'),
      ...Array.from({ length: 39 }, (_, i) => Buffer.alloc(70_000, i)),
    ])
    await sink.finish(digestOf(whole))
    const metadata = metadataOf({ big: 'x' })
    const sha = digestOf(whole)
    const [buildpack] = metadata.buildpacks
    const layers = new Map([...(buildpack?.layers ?? [])].map(([name, layer]) => [name, { ...layer, sha }]))
    await writer.commit({ ...metadata, buildpacks: [{ ...buildpack, layers } as never] })
    // Checked against its digest while it is read.
    await readLayer(open(), sha)
  })
})

describe('what can be wrong with it', () => {
  it('a label that is none: it is ignored, and said', async () => {
    await fill(open(), first)
    const { digest } = (await stored()).manifest.config
    store.blobs.set(digest, Buffer.from('{'))
    expect(await open().exists()).toBe(false)
    expect(await open().metadata()).toEqual(empty)
    expect(events).toContainEqual(
      expect.objectContaining({ message: `Ignoring cache image "${NAME}" because it was corrupt` }),
    )
  })

  it('a registry that fails is not an empty cache', async () => {
    access = {
      repository: (reference) => ({
        ...memoryRepository(repositoryName(reference), store),
        getManifest: async () => Promise.reject(new Error('down')),
      }),
    }
    await expect(open().metadata()).rejects.toThrow('down')
  })

  it('a layer that is missing, or broken, is not taken over', async () => {
    await fill(open(), first)
    const [modules, compiler] = (await stored()).manifest.layers
    if (modules === undefined || compiler === undefined) throw new Error('two layers')
    store.blobs.delete(modules.digest)
    store.blobs.set(compiler.digest, Buffer.alloc(compiler.size))
    const cache = open()
    await expect(readLayer(cache, digestOf('nobody'))).rejects.toMatchObject({ code: 'CACHE_LAYER_MISSING' })
    for (const name of ['modules', 'compiler']) {
      await expect(readLayer(cache, shaOf(first, name))).rejects.toMatchObject({
        code: 'CACHE_LAYER_CORRUPT',
      })
    }
    await cache.discard(shaOf(first, 'compiler'))
    expect(await fill(cache, first)).toEqual([])
  })

  it('an upload that fails costs the layer: the maker is told and does not wait', async () => {
    access = {
      repository: (reference) => ({
        ...memoryRepository(repositoryName(reference), store),
        putBlob: async (source) => {
          for await (const _ of source.open()) throw new Error('the line is cut')
          throw new Error('nothing came')
        },
      }),
    }
    await using writer = await open().begin()
    const sink = await writer.add()
    sink.start()
    const push = async () => {
      for (let i = 0; i < 1000; i++) await sink.block(Buffer.alloc(100_000, i))
      await sink.finish(digestOf(''))
    }
    await expect(push()).rejects.toThrow('the line is cut')
    await sink.abandon()
  })

  it('an upload that would have to begin anew fails, for the tar is gone', async () => {
    access = {
      repository: (reference) => ({
        ...memoryRepository(repositoryName(reference), store),
        putBlob: async (source) => {
          for await (const _ of source.open()) break
          for await (const _ of source.open()) void _
          throw new Error('read twice')
        },
      }),
    }
    await using writer = await open().begin()
    const sink = await writer.add()
    sink.start()
    const push = async () => {
      for (let i = 0; i < 1000; i++) await sink.block(Buffer.alloc(100_000, i))
      await sink.finish(digestOf(''))
    }
    await expect(push()).rejects.toThrow()
  })
})
