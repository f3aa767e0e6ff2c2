import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../oci/digest.ts'
import { cacheDirectory } from './directory.ts'
import { contentOf, fill, metadataOf, readLayer, shaOf } from './testing/content.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-cache-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const first = { modules: 'the modules', compiler: 'the compiler' }
const second = { modules: 'the modules', compiler: 'another compiler' }

function committed(): string[] {
  return readdirSync(join(directory, 'committed')).sort()
}

describe('a cache directory', () => {
  it('is empty at first', async () => {
    const cache = cacheDirectory(directory)
    expect(await cache.metadata()).toEqual({ sbom: { sha: '' }, buildpacks: [] })
  })

  it('has to exist', () => {
    expect(() => cacheDirectory(join(directory, 'none'))).toThrow(
      expect.objectContaining({ code: 'CACHE_DIRECTORY_MISSING' }),
    )
  })

  it('gives back what was committed, in the layout of the Go lifecycle', async () => {
    await fill(cacheDirectory(directory), first)
    const cache = cacheDirectory(directory)
    expect(await contentOf(cache)).toEqual(first)
    expect(committed()).toEqual(
      [
        'io.buildpacks.lifecycle.cache.metadata',
        'io.buildpacks.slipway.cache.verified.json',
        `${shaOf(first, 'modules')}.tar`,
        `${shaOf(first, 'compiler')}.tar`,
      ].sort(),
    )
    expect(readdirSync(directory)).toEqual(['committed'])
  })

  it('reuses a layer without copying it and drops what is no longer used', async () => {
    await fill(cacheDirectory(directory), first)
    const tar = join(directory, 'committed', `${shaOf(first, 'modules')}.tar`)
    const inode = statSync(tar).ino
    expect(await fill(cacheDirectory(directory), second)).toEqual(['modules'])
    expect(statSync(tar).ino).toBe(inode)
    expect(committed().filter((name) => name.endsWith('.tar'))).toHaveLength(2)
    expect(await contentOf(cacheDirectory(directory))).toEqual(second)
  })

  it('reads what the Go lifecycle committed', async () => {
    await fill(cacheDirectory(directory), first)
    rmSync(join(directory, 'committed', 'io.buildpacks.slipway.cache.verified.json'))
    expect(await contentOf(cacheDirectory(directory))).toEqual(first)
    expect(await fill(cacheDirectory(directory), first)).toEqual(['modules', 'compiler'])
  })

  it('throws away a content that is not committed', async () => {
    const cache = cacheDirectory(directory)
    await fill(cache, first)
    {
      await using writer = await cache.begin()
      const sink = await writer.add()
      sink.start()
      await sink.block(Buffer.from('half'))
    }
    expect(await contentOf(cache)).toEqual(first)
    expect(readdirSync(directory)).toEqual(['committed'])
  })

  it('takes a layer that is read anew from its start', async () => {
    const cache = cacheDirectory(directory)
    await using writer = await cache.begin()
    const sink = await writer.add()
    sink.start()
    await sink.block(Buffer.from('a first try that is longer'))
    sink.start()
    await sink.block(Buffer.from('the '))
    await sink.block(Buffer.from('layer'))
    await sink.finish(digestOf('the layer'))
    await writer.commit(metadataOf({ layer: 'the layer' }))
    expect(await contentOf(cache)).toEqual({ layer: 'the layer' })
  })

  it('leaves nothing of a layer that was given up', async () => {
    const cache = cacheDirectory(directory)
    await using writer = await cache.begin()
    const sink = await writer.add()
    sink.start()
    await sink.abandon()
    await writer.commit(metadataOf({}))
    expect(committed().filter((name) => name.endsWith('.tar'))).toEqual([])
  })
})

describe('a broken cache', () => {
  const modules = shaOf(first, 'modules')

  /** With the same size and time, as a bad disk would do it. */
  function corrupt(): void {
    const tar = join(directory, 'committed', `${modules}.tar`)
    const { atime, mtime } = statSync(tar)
    writeFileSync(tar, 'THE MODULES')
    utimesSync(tar, atime, mtime)
  }

  it('is found out while a layer is read', async () => {
    await fill(cacheDirectory(directory), first)
    corrupt()
    await expect(readLayer(cacheDirectory(directory), modules)).rejects.toMatchObject({
      code: 'CACHE_LAYER_CORRUPT',
    })
  })

  it('is not taken over: a broken layer is written anew in its place', async () => {
    await fill(cacheDirectory(directory), first)
    corrupt()
    rmSync(join(directory, 'committed', 'io.buildpacks.slipway.cache.verified.json'))
    expect(await fill(cacheDirectory(directory), first)).toEqual(['compiler'])
    expect(await contentOf(cacheDirectory(directory))).toEqual(first)
  })

  it('forgets a layer that a restore found broken', async () => {
    const cache = cacheDirectory(directory)
    await fill(cache, first)
    corrupt()
    await cache.discard(modules)
    await expect(readLayer(cache, modules)).rejects.toMatchObject({ code: 'CACHE_LAYER_MISSING' })
    expect(await fill(cache, first)).toEqual(['compiler'])
    expect(await contentOf(cache)).toEqual(first)
  })

  it('is empty where its metadata cannot be read', async () => {
    await fill(cacheDirectory(directory), first)
    writeFileSync(join(directory, 'committed', 'io.buildpacks.lifecycle.cache.metadata'), '{"buildpacks": [')
    const cache = cacheDirectory(directory)
    expect(await cache.metadata()).toEqual({ sbom: { sha: '' }, buildpacks: [] })
    await fill(cache, second)
    expect(await contentOf(cache)).toEqual(second)
  })

  it('is put back where the Go lifecycle was killed between its two renames', async () => {
    await fill(cacheDirectory(directory), first)
    renameSync(join(directory, 'committed'), join(directory, 'committed-backup'))
    expect(await contentOf(cacheDirectory(directory))).toEqual(first)
  })

  it('is cleared of what killed processes left a day ago, and of nothing younger', async () => {
    await fill(cacheDirectory(directory), first)
    const old = join(directory, 'staging-0011')
    const young = join(directory, 'staging-2233')
    mkdirSync(old)
    writeFileSync(join(old, 'layer-0'), 'half')
    utimesSync(old, 0, 0)
    mkdirSync(young)
    await fill(cacheDirectory(directory), second)
    expect(existsSync(old)).toBe(false)
    expect(existsSync(young)).toBe(true)
  })
})
