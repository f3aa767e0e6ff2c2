import { describe, expect, it } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { repositoryName } from '../../oci/reference.ts'
import { randomImage } from '../../oci/testing/index.ts'
import { analyze } from './analyze.ts'
import { APP, build, RUN, RUN_IMAGE, workbench } from './export/testing/workbench.ts'

const layersDir = containerPath('/layers')

/** Makes a method of some repositories fail. */
function refuse(
  bench: ReturnType<typeof workbench>,
  method: 'verifyAccess' | 'getManifest',
  isRefused: (name: string) => boolean,
): void {
  const plain = bench.images.repository
  Object.assign(bench.images, {
    repository: (reference: Parameters<typeof plain>[0]) => {
      const repository = plain(reference)
      if (!isRefused(repositoryName(reference))) return repository
      return {
        ...repository,
        [method]: async () => {
          throw new SlipwayError('OCI_ACCESS_DENIED', 'no credentials')
        },
      }
    },
  })
}

describe('analyze', () => {
  it('finds no previous image, and the run image with its digest and target', async () => {
    const bench = workbench()
    const run = await bench.runImage()
    const analyzed = await analyze({ image: APP, run: RUN, layersDir }, bench.context())
    expect(analyzed.previousImage).toBe(undefined)
    expect(analyzed.runImage).toEqual({
      reference: `registry.example/base@${run.digest}`,
      image: RUN_IMAGE,
      extend: false,
      target: { id: 'test.base', os: 'linux', arch: 'amd64', distro: { name: 'debian', version: '13' } },
    })
    expect(bench.seen('previous-image')).toMatchObject([{ reference: APP, found: false }])
  })

  it('reads the metadata of the previous image, and puts its launch SBOM back', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write({ '/workspace/server.js': '' })
    const sbom = '/layers/sbom/launch/test_node/deps/sbom.cdx.json'
    const { image, metadata } = await build(bench, {
      build: () =>
        bench.write({
          '/layers/test_node/deps.toml': '[types]\nlaunch = true',
          '/layers/test_node/deps/file': '',
          [sbom]: '{"a": 1}',
        }),
    })
    bench.root.remove(layersDir)
    const inputs = { image: 'registry.example/other', previousImage: APP, run: RUN, layersDir }
    const analyzed = await analyze(inputs, bench.context())
    expect(analyzed.previousImage).toEqual({ reference: `registry.example/team/app@${image.digest}` })
    expect(analyzed.metadata).toEqual(metadata)
    expect(bench.root.readText(containerPath(sbom))).toBe('{"a": 1}')

    bench.root.remove(layersDir)
    await analyze({ ...inputs, skipLayers: true }, bench.context())
    expect(bench.root.list(layersDir)).toEqual([])
  })

  it('goes on without the SBOM of an image that lost a layer', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write({ '/workspace/server.js': '' })
    const { image } = await build(bench, {
      build: () => bench.write({ '/layers/sbom/launch/test_node/sbom.cdx.json': '{}' }),
    })
    for (const { digest } of image.manifest.layers) bench.store('registry.example').blobs.delete(digest)
    bench.events.length = 0
    const analyzed = await analyze({ image: APP, run: RUN, layersDir }, bench.context())
    expect(analyzed.previousImage).toBeDefined()
    expect(bench.seen('warning')).toHaveLength(1)
  })

  it.each([
    ['is no JSON', '{'],
    ['names a directory above', '{"buildpacks":[{"key":"a/b","layers":{"../x":{}}}]}'],
  ])('takes a previous image whose metadata %s for none', async (_, label) => {
    const bench = workbench()
    await bench.runImage()
    const repository = bench.images.repository({ registry: 'registry.example', repository: 'team/app' })
    await randomImage({ repository, config: { Labels: { 'io.buildpacks.lifecycle.metadata': label } } })
    const analyzed = await analyze({ image: APP, run: RUN, layersDir }, bench.context())
    expect(analyzed.previousImage).toBe(undefined)
    expect(bench.seen('previous-image-corrupt')).toMatchObject([{ reference: APP }])
  })

  it('takes a previous image without its configuration for none', async () => {
    const bench = workbench()
    await bench.runImage()
    const repository = bench.images.repository({ registry: 'registry.example', repository: 'team/app' })
    const image = await randomImage({ repository })
    bench.store('registry.example').blobs.delete(image.manifest.config.digest)
    expect((await analyze({ image: APP, run: RUN, layersDir }, bench.context())).previousImage).toBe(
      undefined,
    )
    expect(bench.seen('previous-image-corrupt')).toHaveLength(1)
  })

  it('knows neither names nor targets of run images before Platform API 0.12', async () => {
    const bench = workbench()
    const run = await bench.runImage()
    const { runImage } = await analyze({ image: APP, run: RUN, layersDir }, bench.context('0.11'))
    expect(runImage).toEqual({ reference: `registry.example/base@${run.digest}`, extend: false })
  })

  it('leaves the reference empty where the run image does not exist', async () => {
    const bench = workbench()
    const { runImage } = await analyze({ image: APP, runImage: RUN_IMAGE, layersDir }, bench.context())
    expect(runImage).toEqual({ reference: '', image: RUN_IMAGE, extend: false })
    expect(bench.seen('info')).toMatchObject([{ message: `Image with name "${RUN_IMAGE}" not found` }])
  })
})

describe('access', () => {
  it.each([
    ['the image', { image: 'locked.example/app' }],
    ['a tag', { image: APP, tags: [`${APP}:v1`, 'locked.example/app:v1'] }],
    ['the cache image', { image: APP, cacheImage: 'locked.example/cache' }],
  ])('to write %s is checked', async (_, inputs) => {
    const bench = workbench()
    await bench.runImage()
    refuse(bench, 'verifyAccess', (name) => name.startsWith('locked.example/'))
    await expect(analyze({ ...inputs, run: RUN, layersDir }, bench.context())).rejects.toMatchObject({
      code: 'ANALYZE_ACCESS_DENIED',
      exitCode: 32,
      message: expect.stringContaining('ensure registry read/write access to locked.example/'),
    })
  })

  it.each([
    ['the previous image', { previousImage: 'locked.example/app', run: RUN }],
    ['the run image', { runImage: 'locked.example/base' }],
  ])('to read %s is needed', async (_, inputs) => {
    const bench = workbench()
    await bench.runImage()
    refuse(bench, 'getManifest', (name) => name.startsWith('locked.example/'))
    await expect(analyze({ image: APP, layersDir, ...inputs }, bench.context())).rejects.toMatchObject({
      code: 'ANALYZE_ACCESS_DENIED',
      exitCode: 32,
      message: expect.stringContaining('ensure registry read access to locked.example/'),
    })
  })
})

describe('the run image', () => {
  const run = {
    images: [{ image: 'one.example/base', mirrors: ['two.example/base', 'registry.example/base:run'] }],
  }
  const chosen = async (bench: ReturnType<typeof workbench>) =>
    (await analyze({ image: APP, run, layersDir }, bench.context())).runImage?.image

  it('is the mirror in the registry of the app where that can be read', async () => {
    const bench = workbench()
    for (const name of ['one.example/base', 'two.example/base', RUN_IMAGE]) await bench.runImage(name)
    expect(await chosen(bench)).toBe(RUN_IMAGE)
    refuse(bench, 'getManifest', (name) => name === 'registry.example/base')
    expect(await chosen(bench)).toBe('one.example/base')
    refuse(bench, 'getManifest', (name) => name === 'one.example/base')
    expect(await chosen(bench)).toBe('two.example/base')
    refuse(bench, 'getManifest', (name) => name === 'two.example/base')
    await expect(chosen(bench)).rejects.toMatchObject({ code: 'ANALYZE_RUN_IMAGE_INACCESSIBLE', exitCode: 3 })
  })

  it('is not a mirror that has no such image', async () => {
    const bench = workbench()
    await bench.runImage('two.example/base')
    expect(await chosen(bench)).toBe('two.example/base')
  })

  it('has to be named', async () => {
    const bench = workbench()
    await expect(analyze({ image: APP, layersDir }, bench.context())).rejects.toMatchObject({
      code: 'ANALYZE_RUN_IMAGE_UNNAMED',
      exitCode: 3,
    })
  })
})
