import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MEDIA_TYPES } from '../../oci/image.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { type Reference, repositoryName } from '../../oci/reference.ts'
import { validateImage } from '../../oci/testing/index.ts'
import { APP, build, RUN_IMAGE, workbench } from './export/testing/workbench.ts'

const LAUNCH = '[types]\nlaunch = true\n'

/** An app with one launch layer. */
const app = { '/workspace/server.js': 'listen()', '/workspace/public/index.html': '<h1>' }
const layer = { '/layers/test_node/deps/bin/tool': '#!/bin/sh', '/layers/test_node/deps.toml': LAUNCH }

describe('places of images', () => {
  it('may be one layout on disk', async () => {
    const bench = workbench()
    const layout = openLayout(join(bench.directory, 'store'))
    Object.assign(bench.images, {
      repository: (reference: Reference) => layout.repository(repositoryName(reference)),
    })
    await bench.runImage()
    bench.write(app)
    const first = await build(bench, { build: () => bench.write(layer) })
    await validateImage(first.image)
    const second = await build(bench, { build: () => bench.write(layer) })
    expect(second.image.digest).toBe(first.image.digest)
    expect(bench.seen('layer-exported').every(({ outcome }) => outcome === 'reused')).toBe(true)
    expect(layout.images().map(({ name }) => name)).toEqual([RUN_IMAGE, `${APP}:latest`])
  })

  it('may differ for the run image and the app, whose layers are then copied', async () => {
    const bench = workbench()
    await bench.runImage('other.example/base')
    bench.write(app)
    const { image } = await build(bench, {
      analyze: { runImage: 'other.example/base' },
      build: () => bench.write(layer),
    })
    await validateImage(image)
  })

  it('get OCI types where a layer is compressed with zstd', async () => {
    const bench = workbench()
    await bench.runImage(RUN_IMAGE, { mediaTypes: 'docker' })
    bench.write(app)
    const zstd = await build(bench, {
      export: { compression: { kind: 'zstd' } },
      build: () => bench.write(layer),
    })
    expect(zstd.image.mediaType).toBe(MEDIA_TYPES.ociManifest)
    await validateImage(zstd.image)
    // Reused layers keep their compression.
    const gzip = await build(bench, { build: () => bench.write(layer) })
    expect(gzip.image.mediaType).toBe(MEDIA_TYPES.ociManifest)
    await validateImage(gzip.image)
  })
})

describe('names', () => {
  it('are all written, also into other repositories', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const images = [APP, `${APP}:v1`, 'registry.example/copy:v1', 'other.example/app'] as const
    const { report, image } = await build(bench, { export: { images }, build: () => {} })
    expect(report.image.tags).toEqual(images)
    for (const name of images) {
      const found = await bench.image(name)
      expect(found.digest).toBe(image.digest)
      await validateImage(found)
    }
  })

  it('fail one by one: the others are written, and the error names what could not', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const plain = bench.images.repository
    Object.assign(bench.images, {
      repository: (reference: Parameters<typeof plain>[0]) => {
        const repository = plain(reference)
        return {
          ...repository,
          putManifest: async (...[bytes, type, tags]: Parameters<typeof repository.putManifest>) => {
            if (tags.includes('locked')) throw new Error('this tag is immutable')
            return repository.putManifest(bytes, type, tags)
          },
        }
      },
    })
    const images = [APP, `${APP}:locked`, `${APP}:v2`] as const
    await expect(build(bench, { export: { images }, build: () => {} })).rejects.toMatchObject({
      code: 'EXPORT_SAVE_FAILED',
      exitCode: 62,
      message: `failed to save image under ${APP}:locked: this tag is immutable`,
    })
    expect((await bench.image(`${APP}:v2`)).digest).toBe((await bench.image(APP)).digest)
    expect(bench.seen('image-saved')[0]?.names).toEqual([
      { name: APP },
      { name: `${APP}:locked`, error: 'this tag is immutable' },
      { name: `${APP}:v2` },
    ])
  })

  it('cannot be digests', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const images = [`${APP}@sha256:${'0'.repeat(64)}`] as const
    await expect(build(bench, { export: { images }, build: () => {} })).rejects.toMatchObject({
      code: 'EXPORT_NAME_INVALID',
      exitCode: 3,
    })
  })
})
