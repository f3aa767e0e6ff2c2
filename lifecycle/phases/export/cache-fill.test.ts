import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventStream } from '../../../core/event.ts'
import { createHttpClient } from '../../../core/http/client.ts'
import { createRegistry } from '../../../oci/registry/registry.ts'
import type { Faults } from '../../../oci/registry/testing/faults.ts'
import { startTestRegistry } from '../../../oci/registry/testing/server.ts'
import { validateImage } from '../../../oci/testing/index.ts'
import type { Cache, CacheWriter } from '../../cache/cache.ts'
import { cacheImage } from '../../cache/image.ts'
import { build, CACHED_LAYER, workbench } from './testing/workbench.ts'

/** A cache on a disk that is full when something happens. */
function fullAt(cache: Cache, moment: 'begin' | 'start' | 'block' | 'finish' | 'commit'): Cache {
  const full = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
  return {
    ...cache,
    async begin(): Promise<CacheWriter> {
      if (moment === 'begin') full()
      const writer = await cache.begin()
      return {
        reuse: (diffId) => writer.reuse(diffId),
        async add() {
          const sink = await writer.add()
          return {
            start: () => (moment === 'start' ? full() : sink.start()),
            block: (bytes) => (moment === 'block' ? full() : sink.block(bytes)),
            finish: async (diffId) => (moment === 'finish' ? full() : sink.finish(diffId)),
            abandon: () => sink.abandon(),
          }
        },
        commit: async (metadata) => (moment === 'commit' ? full() : writer.commit(metadata)),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      }
    },
  }
}

describe('a full disk under the cache', () => {
  it.each(['start', 'block', 'finish'] as const)(
    'at the %s of a layer costs that layer alone',
    async (moment) => {
      const bench = workbench()
      await bench.runImage()
      bench.write({ '/workspace/app': '' })
      const cache = fullAt(bench.cache, moment)
      const { image } = await build(bench, { cache, build: () => bench.write(CACHED_LAYER) })
      await validateImage(image)
      expect(bench.seen('warning').map(({ message }) => message)).toEqual([
        "Failed to cache layer 'test/node:deps': ENOSPC: no space left on device",
      ])
      expect(bench.seen('cache-layer')).toEqual([])
      const [buildpack] = (await bench.cache.metadata()).buildpacks
      expect(buildpack?.layers.size).toBe(0)
    },
  )

  it.each(['begin', 'commit'] as const)('at the %s leaves the cache as it was', async (moment) => {
    const bench = workbench()
    await bench.runImage()
    bench.write({ '/workspace/app': '' })
    await build(bench, { build: () => bench.write(CACHED_LAYER) })
    const before = await bench.cache.metadata()
    const { image } = await build(bench, {
      cache: fullAt(bench.cache, moment),
      build: () => bench.write({ ...CACHED_LAYER, '/layers/test_node/deps/file': 'changed' }),
    })
    await validateImage(image)
    expect(bench.seen('cache-failed')).toMatchObject([{ message: 'ENOSPC: no space left on device' }])
    expect(await bench.cache.metadata()).toEqual(before)
  })
})

describe('a cache image behind a line that breaks', () => {
  const cached = async (faults: Partial<Faults>) => {
    const bench = workbench()
    const server = await startTestRegistry()
    const http = createHttpClient()
    onTestFinished(async () => {
      await http.close()
      await server.close()
    })
    Object.assign(server.faults, faults)
    await bench.runImage()
    bench.write({ '/workspace/app': '' })
    const access = createRegistry({ http, retry: { sleep: async () => {} } })
    const cache = cacheImage(
      `${server.host}/team/cache`,
      access,
      eventStream((event) => void bench.events.push(event)),
    )
    // Incompressible, so that it is still on its way when the line breaks.
    const content = randomBytes(600_000).toString('latin1')
    const { image } = await build(bench, {
      cache,
      build: () => bench.write({ ...CACHED_LAYER, '/layers/test_node/deps/file': content }),
    })
    await validateImage(image)
    const [buildpack] = (await cache.metadata()).buildpacks
    return { bench, server, layers: buildpack?.layers.size ?? 0 }
  }

  it('has the layer all the same: it is read again', async () => {
    const { bench, server, layers } = await cached({ cutUpload: { afterBytes: 10_000, times: 2 } })
    expect(bench.seen('warning')).toEqual([])
    expect(layers).toBe(1)
    expect(server.store.uploads.size).toBe(0)
  })

  it('goes without the layer where it never gets there', async () => {
    const { bench, layers } = await cached({ cutUpload: { afterBytes: 10_000, times: 1000 } })
    expect(bench.seen('warning')).toHaveLength(1)
    expect(bench.seen('warning')[0]?.message).toMatch(
      /^Failed to cache layer 'test\/node:deps': the connection was lost/,
    )
    expect(layers).toBe(0)
  })
})
