import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { parseApiVersion } from '../../spec/api-version.ts'
import type { LayerEntry } from '../../spec/labels/lifecycle-metadata.ts'
import { type LayerName, parseLayerName } from '../../spec/names.ts'
import { build, groupOf, RUN, workbench } from './export/testing/workbench.ts'
import { restore } from './restore.ts'
import { restorableLayers } from './restore-layers.ts'

const NAME = parseLayerName('layer')
const API = parseApiVersion('0.15')

function entry(flags: string): LayerEntry {
  const has = (flag: string) => flags.includes(flag)
  return { sha: `sha256:${'a'.repeat(64)}`, build: has('b'), cache: has('c'), launch: has('l') }
}

function layers(flags: string | undefined): ReadonlyMap<LayerName, LayerEntry> {
  return new Map(flags === undefined ? [] : [[NAME, entry(flags)]])
}

/** Flags in the image and in the cache: b(uild), c(ache), l(aunch); undefined where the layer is not there. */
function source(image: string | undefined, cache: string | undefined, api = API): string | undefined {
  return restorableLayers(layers(image), layers(cache), api)[0]?.from
}

describe('the table of restored layers (cnb-spec §4.6)', () => {
  it.each([
    ['bcl', 'app image'],
    ['bc', 'cache'],
    ['bl', undefined],
    ['b', undefined],
    ['cl', 'app image'],
    ['c', 'cache'],
    ['l', 'app image'],
    ['', undefined],
  ])('takes the metadata of a layer with flags "%s" from: %s', (flags, from) => {
    expect(source(flags.includes('l') ? flags : undefined, flags.includes('c') ? flags : undefined)).toBe(
      from,
    )
  })

  it('restores a cached layer whole or not at all', () => {
    expect(source('cl', undefined)).toBe(undefined)
    expect(source('cl', 'l')).toBe(undefined)
  })

  it('knows a launch layer from the cache alone only since Platform API 0.14', () => {
    expect(source(undefined, 'cl')).toBe('cache')
    expect(source(undefined, 'cl', parseApiVersion('0.13'))).toBe(undefined)
  })

  it('believes the cache where a layer stopped to be a launch layer', () => {
    expect(source('l', 'c')).toBe('cache')
  })

  it('never restores a layer that neither side asks for', () => {
    const flags = fc.constantFrom(undefined, '', 'b', 'c', 'l', 'bc', 'bl', 'cl', 'bcl')
    fc.assert(
      fc.property(flags, flags, (image, cache) => {
        const from = source(image, cache)
        if (from === 'app image') expect(image).toContain('l')
        if (from === 'cache') expect(cache).toContain('c')
      }),
    )
  })
})

const LAUNCH = '[types]\nlaunch = true\n[metadata]\nlock = "abc"\nnumber = 1.5\n'
const CACHED = '[types]\nlaunch = true\ncache = true\n[metadata]\nlock = "abc"\n'
const CACHE_ONLY = '[types]\ncache = true\n'
const app = { '/workspace/server.js': 'listen()' }
const cachedLayer = { '/layers/test_node/deps/file': 'dependency', '/layers/test_node/deps.toml': CACHED }

/** What stands in the buildpack's directory when bin/build begins. */
function restoredFiles(bench: ReturnType<typeof workbench>): string[] {
  const directory = join(bench.directory, 'root/layers/test_node')
  return (readdirSync(directory, { recursive: true }) as string[]).sort()
}

async function buildTwice(
  files: Readonly<Record<string, string>>,
  between: (bench: ReturnType<typeof workbench>) => void,
): Promise<{ files: string[]; bench: ReturnType<typeof workbench> }> {
  const bench = workbench()
  await bench.runImage()
  bench.write({ ...app, '/layers/test_node/': '' })
  await build(bench, { build: () => bench.write(files) })
  between(bench)
  let found: string[] = []
  await build(bench, {
    build: () => {
      bench.write({ '/layers/test_node/': '' })
      found = restoredFiles(bench)
      bench.write(files)
    },
  })
  return { files: found, bench }
}

describe('restoring', () => {
  it('writes metadata without types, and store.toml', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const files = {
      '/layers/test_node/deps/file': 'x',
      '/layers/test_node/deps.toml': LAUNCH,
      '/layers/test_node/store.toml': '[metadata]\nkept = 2\n',
    }
    await build(bench, { build: () => bench.write(files) })
    await build(bench, {
      build: () => {
        expect(restoredFiles(bench)).toEqual(['deps.toml', 'store.toml'])
        const read = (name: string) =>
          readFileSync(join(bench.directory, 'root/layers/test_node', name), 'utf8')
        expect(read('deps.toml')).toBe('[metadata]\n  lock = "abc"\n  number = 1.5\n')
        expect(read('store.toml')).toBe('[metadata]\n  kept = 2\n')
        bench.write(files)
      },
    })
    expect(bench.seen('layer-metadata-restored')).toMatchObject([
      { layer: 'test/node:deps', from: 'app image' },
    ])
  })

  it('brings back contents as they were: modes, links, and what the tar says of empty directories', async () => {
    const files = {
      '/layers/test_node/deps/bin/run': '#!/bin/sh',
      '/layers/test_node/deps/link': '-> bin/run',
      '/layers/test_node/deps/empty/': '',
      '/layers/test_node/deps.toml': CACHED,
    }
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(files) })
    await build(bench, {
      build: () => {
        expect(restoredFiles(bench)).toEqual(
          ['deps', 'deps.toml', 'deps/bin', 'deps/bin/run', 'deps/empty', 'deps/link'].sort(),
        )
        expect(statSync(join(bench.directory, 'root/layers/test_node/deps/bin/run')).mode & 0o777).toBe(0o755)
        bench.write({ '/layers/test_node/deps.toml': CACHED })
      },
    })
    expect(bench.seen('layer-exported').find(({ kind }) => kind === 'buildpack')?.outcome).toBe('reused')
  })

  it('leaves out a cached layer that is not in the cache', async () => {
    const { files } = await buildTwice(cachedLayer, (bench) => {
      bench.root.remove(containerPath('/layers'))
      writeFileSync(join(bench.directory, 'cache/committed/io.buildpacks.lifecycle.cache.metadata'), '{}')
    })
    expect(files).toEqual([])
  })

  it('removes a layer whose contents in the cache are of another build than the image', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(cachedLayer) })
    // A build elsewhere, with a cache of its own.
    await build(bench, {
      withoutCache: true,
      build: () => bench.write({ ...cachedLayer, '/layers/test_node/deps/file': 'newer' }),
    })
    await build(bench, {
      build: () => {
        expect(restoredFiles(bench)).toEqual([])
        bench.write(cachedLayer)
      },
    })
    expect(bench.seen('layer-removed')).toMatchObject([{ layer: 'test/node:deps', reason: 'wrong sha' }])
  })

  it('goes on without a layer whose tar is broken, and the next build has it again', async () => {
    const breakTars = (bench: ReturnType<typeof workbench>) => {
      const committed = join(bench.directory, 'cache/committed')
      for (const name of readdirSync(committed).filter((name) => name.endsWith('.tar'))) {
        const path = join(committed, name)
        const { atime, mtime, size } = statSync(path)
        const bytes = readFileSync(path)
        bytes.write('D', bytes.indexOf('dependency'))
        writeFileSync(path, bytes)
        utimesSync(path, atime, mtime)
        expect(statSync(path).size).toBe(size)
      }
    }
    const { files, bench } = await buildTwice(cachedLayer, breakTars)
    expect(files).toEqual([])
    expect(bench.seen('layer-restore-skipped')).toHaveLength(1)
    await build(bench, {
      build: () => {
        expect(restoredFiles(bench)).toEqual(['deps', 'deps.toml', 'deps/file'])
        bench.write(cachedLayer)
      },
    })
  })

  it('goes on without a layer whose tar is gone', async () => {
    const { files, bench } = await buildTwice(
      { ...cachedLayer, '/layers/test_node/x.toml': CACHE_ONLY, '/layers/test_node/x/y': '' },
      (bench) => {
        const committed = join(bench.directory, 'cache/committed')
        for (const name of readdirSync(committed))
          if (name.endsWith('.tar')) writeFileSync(join(committed, name), '')
      },
    )
    expect(files).toEqual([])
    expect(bench.seen('layer-restore-skipped')).toHaveLength(2)
  })

  it('writes nowhere but into the layer, whatever a tar in the cache names', async () => {
    const { files } = await buildTwice(cachedLayer, () => {})
    expect(files).toEqual(['deps', 'deps.toml', 'deps/file'])
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    // The cache of one app used for another buildpack's layer: the tar is whole, and of another place.
    await build(bench, { build: () => bench.write(cachedLayer) })
    const metadata = join(bench.directory, 'cache/committed/io.buildpacks.lifecycle.cache.metadata')
    writeFileSync(
      metadata,
      readFileSync(metadata, 'utf8').replace('"deps"', '"other"').replace('"launch":true', '"launch":false'),
    )
    await build(bench, {
      build: () => {
        expect(restoredFiles(bench)).toEqual([])
      },
    })
    expect(bench.seen('layer-restore-skipped')).toMatchObject([{ layer: 'test/node:other' }])
  })

  it('restores store.toml alone where layers are skipped', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { analyzed } = await build(bench, {
      build: () => bench.write({ ...cachedLayer, '/layers/test_node/store.toml': '[metadata]\nkept = 2\n' }),
    }).then(() => build(bench, { build: () => bench.write(cachedLayer) }))
    bench.root.remove(containerPath('/layers'))
    await restore(
      { analyzed, group: groupOf('test/node'), layersDir: containerPath('/layers'), skipLayers: true },
      bench.context(),
    )
    expect(restoredFiles(bench)).toEqual(['store.toml'])
  })

  it('does nothing without analyzed.toml and without a cache', async () => {
    const bench = workbench()
    const { cache: _, ...context } = bench.context()
    const restored = await restore(
      { group: groupOf('test/node'), layersDir: containerPath('/layers') },
      context,
    )
    expect(restored).toEqual({})
  })

  it('fails where the chosen run image went away', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { analyzed } = await build(bench, { build: () => {} })
    bench.store('registry.example').manifests.clear()
    const inputs = { analyzed, group: groupOf(), run: RUN, layersDir: containerPath('/layers') }
    await expect(restore(inputs, bench.context())).rejects.toMatchObject({
      code: 'RESTORE_RUN_IMAGE_INACCESSIBLE',
      exitCode: 1,
    })
    await restore(inputs, bench.context('0.13'))
  })

  it('fills in a target that is missing', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { analyzed } = await build(bench, { build: () => {} })
    const { target: _, ...runImage } = analyzed.runImage ?? { reference: '', extend: false }
    const inputs = { group: groupOf(), layersDir: containerPath('/layers') }
    const restored = await restore({ ...inputs, analyzed: { ...analyzed, runImage } }, bench.context())
    expect(restored.analyzed).toEqual(analyzed)
  })
})
