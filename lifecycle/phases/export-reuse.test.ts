import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { validateImage } from '../../oci/testing/index.ts'
import { APP, build, RUN_IMAGE, workbench } from './export/testing/workbench.ts'

const LAUNCH = '[types]\nlaunch = true\n'
const CACHED = '[types]\nlaunch = true\ncache = true\n[metadata]\nlock = "abc"\n'
const CACHE_ONLY = '[types]\ncache = true\nbuild = true\n'

/** An app with one launch layer. */
const app = { '/workspace/server.js': 'listen()', '/workspace/public/index.html': '<h1>' }
const layer = { '/layers/test_node/deps/bin/tool': '#!/bin/sh', '/layers/test_node/deps.toml': LAUNCH }

describe('a second build', () => {
  const outcomes = (bench: ReturnType<typeof workbench>) =>
    Object.fromEntries(bench.seen('layer-exported').map(({ layer, outcome }) => [layer, outcome]))

  it('reuses every layer that did not change, and stores nothing new', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const first = await build(bench, { build: () => bench.write(layer) })
    const blobs = bench.store('registry.example').blobs.size
    const second = await build(bench, { build: () => bench.write(layer) })
    expect(new Set(Object.values(outcomes(bench)))).toEqual(new Set(['reused']))
    expect(second.image.digest).toBe(first.image.digest)
    expect(bench.store('registry.example').blobs.size).toBe(blobs)
  })

  it('adds the app alone where one line changed', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(layer) })
    bench.write({ '/workspace/server.js': 'listen(1)' })
    await build(bench, { build: () => bench.write(layer) })
    expect(outcomes(bench)).toEqual({
      'test/node:deps': 'reused',
      'slice-1': 'added',
      'buildpacksio/lifecycle:launcher': 'reused',
      'buildpacksio/lifecycle:config': 'reused',
      'buildpacksio/lifecycle:process-types': 'reused',
    })
  })

  it('takes a launch layer without contents from the previous image, with its new metadata', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const first = await build(bench, { build: () => bench.write(layer) })
    const second = await build(bench, {
      build: () => bench.write({ '/layers/test_node/deps.toml': `${LAUNCH}[metadata]\nnew = true\n` }),
    })
    const sha = (built: typeof first) => built.metadata.buildpacks[0]?.layers.get('deps' as never)
    expect(sha(second)).toEqual({ ...sha(first), metadata: { new: true } })
    expect(outcomes(bench)['test/node:deps']).toBe('reused-untouched')
    await validateImage(second.image)
  })

  it('fails where a launch layer without contents was in no image before, or is cached', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const withToml = (toml: string) =>
      build(bench, { build: () => bench.write({ '/layers/test_node/deps.toml': toml }) })
    await expect(withToml(LAUNCH)).rejects.toMatchObject({ code: 'EXPORT_LAYER_UNKNOWN', exitCode: 62 })
    await expect(withToml(CACHED)).rejects.toMatchObject({
      code: 'EXPORT_LAYER_EMPTY',
      exitCode: 62,
      message: "layer 'test/node:deps' is cache=true but has no contents",
    })
    await expect(withToml('types = 1')).rejects.toMatchObject({
      code: 'EXPORT_LAYER_MALFORMED',
      exitCode: 62,
    })
  })

  it('builds anew without harm where the previous image is gone in between', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const first = await build(bench, { build: () => bench.write(layer) })
    const second = await build(bench, {
      build: () => {
        bench.write(layer)
        const store = bench.store('registry.example')
        store.manifests.delete(first.image.digest)
        for (const { digest } of first.image.manifest.layers.slice(2)) store.blobs.delete(digest)
      },
    })
    expect(second.image.digest).toBe(first.image.digest)
    await validateImage(second.image)
  })

  it('copies what it reuses into another registry', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(layer) })
    const { image } = await build(bench, {
      analyze: { image: 'other.example/app', previousImage: APP, runImage: RUN_IMAGE },
      export: { images: ['other.example/app'] },
      build: () => bench.write(layer),
    })
    expect(outcomes(bench)['test/node:deps']).toBe('reused')
    await validateImage(image)
  })
})

describe('the cache', () => {
  const cached = {
    '/layers/test_node/deps/file': 'dependency',
    '/layers/test_node/deps.toml': CACHED,
    '/layers/test_node/compiler/gcc': 'compiler',
    '/layers/test_node/compiler.toml': CACHE_ONLY,
    '/layers/sbom/cache/test_node/deps/sbom.cdx.json': '{}',
  }

  it('is filled with cached layers and restored before the next build', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const first = await build(bench, { build: () => bench.write(cached) })
    expect(bench.seen('cache-layer').map(({ layer, outcome }) => [layer, outcome])).toEqual([
      ['test/node:compiler', 'added'],
      ['test/node:deps', 'added'],
      ['buildpacksio/lifecycle:cache.sbom', 'added'],
    ])
    const metadata = await bench.cache.metadata()
    expect(metadata.buildpacks[0]?.layers.get('deps' as never)?.sha).toBe(
      first.metadata.buildpacks[0]?.layers.get('deps' as never)?.sha,
    )

    let restored: string[] = []
    await build(bench, {
      build: () => {
        restored = readdirSync(join(bench.directory, 'root/layers/test_node'), {
          recursive: true,
        }) as string[]
        bench.write({ '/layers/test_node/deps.toml': CACHED, '/layers/test_node/compiler.toml': CACHE_ONLY })
        bench.write({ '/layers/sbom/cache/test_node/deps/sbom.cdx.json': '{}' })
      },
    })
    expect(restored.sort()).toEqual([
      'compiler',
      'compiler.toml',
      'compiler/gcc',
      'deps',
      'deps.sbom.cdx.json',
      'deps.toml',
      'deps/file',
    ])
    expect(bench.seen('cache-layer').map(({ outcome }) => outcome)).toEqual(['reused', 'reused', 'reused'])
    expect(bench.seen('layer-exported').find(({ layer }) => layer === 'test/node:deps')?.outcome).toBe(
      'reused',
    )
  })

  it('is filled anew from a layer that the image has already', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(cached) })
    rmSync(join(bench.directory, 'cache/committed'), { recursive: true })
    await build(bench, { build: () => bench.write(cached) })
    expect(bench.seen('layer-exported').find(({ layer }) => layer === 'test/node:deps')?.outcome).toBe(
      'reused',
    )
    expect(bench.seen('cache-layer').map(({ outcome }) => outcome)).toEqual(['added', 'added', 'added'])
  })

  it('is left alone by an export that fails, and an export is not harmed by a broken cache', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write(cached) })
    const before = await bench.cache.metadata()
    const failing = build(bench, {
      export: { processType: 'worker' },
      build: () => bench.write({ ...cached, '/layers/test_node/deps/file': 'changed' }),
    })
    await expect(failing).rejects.toMatchObject({ code: 'EXPORT_PROCESS_UNKNOWN', exitCode: 62 })
    expect(await bench.cache.metadata()).toEqual(before)

    rmSync(join(bench.directory, 'cache'), { recursive: true })
    const { image } = await build(bench, { build: () => bench.write(cached) })
    await validateImage(image)
    expect(bench.seen('cache-failed')).toHaveLength(1)
  })

  it('warns of a cached layer without contents', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    await build(bench, { build: () => bench.write({ '/layers/test_node/compiler.toml': CACHE_ONLY }) })
    expect(bench.seen('warning').map(({ message }) => message)).toEqual([
      "Failed to cache layer 'test/node:compiler' because it has no contents",
    ])
  })
})
