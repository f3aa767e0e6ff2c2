import { beforeEach, describe, expect, it } from 'vitest'
import type { Image } from '../../oci/image.ts'
import { type ImageLayer, imageLayers } from '../../oci/read-image.ts'
import { validateImage } from '../../oci/testing/index.ts'
import { writeImage } from '../../oci/write-image.ts'
import { BASE_LABELS, STACK_LABELS } from './rebase/testing/images.ts'
import { APP, type RebaseWorkbench, rebaseWorkbench } from './rebase/testing/workbench.ts'

const RUN = 'registry.example/base:run'
const label = 'io.buildpacks.lifecycle.metadata'

let events: RebaseWorkbench['events']
let images: RebaseWorkbench['images']
let run: RebaseWorkbench['run']
let used: RebaseWorkbench['used']
beforeEach(() => {
  ;({ events, images, run, used } = rebaseWorkbench())
})

const metadataOf = (image: Image) => JSON.parse(image.config.config?.Labels?.[label] ?? '')
const warnings = () => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))

describe('rebase (cnb-spec §6)', () => {
  it('exchanges the layers of the run image and reads none', async () => {
    const old = await images.base(RUN, { labels: { ...BASE_LABELS, 'io.buildpacks.base.homepage': 'gone' } })
    const app = await images.app(APP, old)
    const base = await images.base(RUN, {
      seed: 2,
      layers: 3,
      labels: { ...BASE_LABELS, 'io.buildpacks.base.released': 'today', other: 'stays there' },
    })
    const rebased = await run()

    const layerDigests = [...app.manifest.layers, ...base.manifest.layers].map(({ digest }) => digest)
    const calls = used.flatMap((repository) => repository.calls)
    for (const digest of layerDigests) expect(calls).not.toContain(`openBlob ${digest}`)

    const image = await images.read(APP)
    await validateImage(image)
    expect(rebased.layers).toEqual({ removed: 2, base: 3, kept: 2 })
    expect(rebased.runImage).toBe(RUN)
    expect(rebased.previous.digest).toBe(app.digest)
    expect(rebased.report.image).toEqual({
      tags: [APP],
      digest: image.digest,
      manifestSize: image.manifestBytes.length,
    })
    expect(image.config.rootfs.diff_ids).toEqual([
      ...base.config.rootfs.diff_ids,
      ...app.config.rootfs.diff_ids.slice(2),
    ])
    // RB-9: everything else is the app's own.
    const { Labels: _, ...own } = image.config.config ?? {}
    const { Labels: __, ...before } = app.config.config ?? {}
    expect(own).toEqual(before)
    // RB-5
    expect(image.config.config?.Labels).toEqual({
      ...BASE_LABELS,
      'io.buildpacks.base.released': 'today',
      'io.buildpacks.build.metadata': '{"kept":true}',
      mine: 'too',
      [label]: expect.any(String),
    })
    // RB-4
    const metadata = metadataOf(image)
    const previous = metadataOf(app)
    expect(metadata).toEqual({
      ...previous,
      runImage: {
        ...previous.runImage,
        topLayer: base.config.rootfs.diff_ids[2],
        reference: `registry.example/base@${base.digest}`,
      },
    })
    // RB-10
    expect(image.config.created).toBe('1980-01-01T00:00:01Z')
    expect(image.config.history).toEqual(Array(5).fill({ created: '1980-01-01T00:00:01Z' }))
    expect(image.mediaType).toBe(app.mediaType)
    expect(events.map(({ type }) => type).filter((type) => !type.startsWith('step-'))).toEqual([
      'phase-started',
      'image-saving',
      'image-saved',
      'phase-finished',
    ])
    // The same again gives the same.
    expect((await run()).image.digest).toBe(image.digest)
  })

  it('keeps the family of media types, but for zstd layers', async () => {
    const old = await images.base(RUN)
    const app = await images.app(APP, old, { mediaTypes: 'docker' })
    await images.base(RUN, { seed: 2 })
    const docker = (await run()).image
    expect(docker.mediaType).toBe(app.mediaType)
    await images.base(RUN, { seed: 3, compression: { kind: 'zstd' } })
    const oci = (await run()).image
    expect(oci.mediaType).toBe('application/vnd.oci.image.manifest.v1+json')
    await validateImage(oci)
  })

  it('writes under other names and leaves the previous image alone', async () => {
    const app = await images.app(APP, await images.base(RUN))
    await images.base(RUN, { seed: 2 })
    const names = ['registry.example/other/app:1', 'registry.example/third:2'] as const
    const { image } = await run({ images: names, previousImage: APP })
    expect((await images.read(APP)).digest).toBe(app.digest)
    for (const name of names) {
      expect((await images.read(name)).digest).toBe(image.digest)
      await validateImage(await images.read(name))
    }
  })

  it('takes the mirror in the registry of the app (RB-2)', async () => {
    const mirrored = 'mirror.example/app'
    await images.app(mirrored, await images.base(RUN))
    await images.base(RUN, { seed: 2 })
    const mirror = await images.base('mirror.example/base:run', { seed: 3 })
    const rebased = await run({ images: [mirrored] })
    expect(rebased.runImage).toBe('mirror.example/base:run')
    expect(metadataOf(rebased.image).runImage.reference).toBe(`mirror.example/base@${mirror.digest}`)
    // Before 0.12 only the copy for stacks is looked at.
    expect((await run({ images: [mirrored] }, '0.11')).runImage).toBe('mirror.example/base:run')
  })

  it('takes the run image of a legacy label, and wants one named where there is none', async () => {
    const old = await images.base(RUN)
    const topLayer = old.config.rootfs.diff_ids[1]
    await images.app(APP, old, { metadata: { runImage: { topLayer, reference: '' } } })
    await images.base(RUN, { seed: 2 })
    expect((await run()).runImage).toBe(RUN)
    await images.app(APP, old, { metadata: { runImage: { topLayer, reference: '' }, stack: undefined } })
    await expect(run()).rejects.toMatchObject({
      exitCode: 72,
      message: '-run-image is required when there is no run image metadata available',
    })
    await expect(run({ runImage: RUN })).rejects.toMatchObject({
      code: 'REBASE_RUN_IMAGE_UNLISTED',
      message: expect.stringContaining('metadata: not found; please provide -force to override'),
    })
    expect((await run({ runImage: RUN, force: true })).runImage).toBe(RUN)
  })

  it('wants a run image that the metadata names, or force (RB-8)', async () => {
    await images.app(APP, await images.base(RUN))
    const other = 'registry.example/another:run'
    await images.base(other, { seed: 2 })
    await expect(run({ runImage: other })).rejects.toMatchObject({
      code: 'REBASE_RUN_IMAGE_UNLISTED',
      exitCode: 72,
      message: expect.stringMatching(
        /^rebase app image: new base image '.*' not found in existing run image metadata: \{.*"image":"registry.example\/base:run".*\}; please provide -force to override$/,
      ),
    })
    const { image } = await run({ runImage: other, force: true })
    expect(warnings()).toEqual([
      expect.stringContaining("new base image 'registry.example/another:run' not found"),
    ])
    expect(metadataOf(image).runImage).toMatchObject({ image: other })
    expect(metadataOf(image).runImage.mirrors).toBeUndefined()
    expect(metadataOf(image).stack).toEqual({ runImage: { image: other } })
    // With an older Platform API names are not looked at.
    await images.app(APP, await images.base(RUN))
    const before = await run({ runImage: other }, '0.11')
    expect(metadataOf(before.image).runImage.image).toBe(RUN)
  })

  it('matches names by their defaults, without a digest', async () => {
    const old = await images.base('docker.io/library/base')
    await images.app(APP, old, {
      metadata: { runImage: { topLayer: old.config.rootfs.diff_ids[1], reference: '', image: 'base' } },
    })
    const next = await images.base('base', { seed: 2 })
    expect((await run({ runImage: `index.docker.io/library/base@${next.digest}` })).image.digest).toMatch(
      /^sha256/,
    )
  })

  it('replaces base labels only from Platform API 0.12 on', async () => {
    await images.app(APP, await images.base(RUN, { labels: { ...BASE_LABELS, ...STACK_LABELS } }))
    await images.base(RUN, {
      seed: 2,
      labels: { 'io.buildpacks.stack.id': 'test.stack2', ...BASE_LABELS, 'io.buildpacks.base.id': 'new' },
    })
    expect((await run({}, '0.11')).image.config.config?.Labels).toMatchObject({
      'io.buildpacks.base.id': 'test.base',
      'io.buildpacks.stack.id': 'test.stack2',
    })
    const labels = (await run()).image.config.config?.Labels
    expect(labels).toMatchObject({ 'io.buildpacks.base.id': 'new' })
    expect(labels).not.toHaveProperty(['io.buildpacks.stack.mixins'])
  })

  it('counts the highest of equal layers as the last one of the run image', async () => {
    const plain = await images.base(RUN)
    const [empty] = imageLayers(plain)
    const old = await writeImage({
      repository: plain.repository,
      tags: ['run'],
      base: plain,
      layers: [empty as ImageLayer],
      config: plain.config,
    })
    await images.app(APP, old)
    await images.base(RUN, { seed: 2 })
    expect((await run()).layers).toEqual({ removed: 3, base: 2, kept: 2 })
  })
})

describe('what cannot be rebased', () => {
  it('an image without metadata, or whose base is not in it (RB-3)', async () => {
    await images.base(APP)
    await images.base(RUN)
    await expect(run({ runImage: RUN })).rejects.toMatchObject({ exitCode: 72 })
    const topLayer = `sha256:${'0'.repeat(64)}`
    await images.app(APP, await images.base(RUN), { metadata: { runImage: { topLayer, image: RUN } } })
    await expect(run()).rejects.toMatchObject({ code: 'REBASE_BASE_UNKNOWN', exitCode: 72 })
  })

  it('an image or a run image that is not there', async () => {
    await expect(run()).rejects.toMatchObject({ code: 'REBASE_IMAGE_MISSING', exitCode: 72 })
    await images.app(APP, await images.base('registry.example/elsewhere:run'))
    await expect(run()).rejects.toMatchObject({ code: 'REBASE_RUN_IMAGE_MISSING', exitCode: 1 })
  })

  it('to two registries, or under a digest (RB-1)', async () => {
    const two = { images: [APP, 'other.example/app'] } as const
    await expect(run(two)).rejects.toMatchObject({ code: 'REBASE_REGISTRIES', exitCode: 3 })
    const digest = { images: [`${APP}@sha256:${'0'.repeat(64)}`] } as const
    await expect(run(digest)).rejects.toMatchObject({ exitCode: 3 })
    await expect(run({ images: ['NOT A NAME'] })).rejects.toMatchObject({ exitCode: 3 })
  })
})
