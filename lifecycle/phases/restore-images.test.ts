import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { readImage } from '../../oci/read-image.ts'
import { type AnalyzedRunImage, EMPTY_ANALYZED } from '../../spec/files/analyzed.ts'
import { groupOf, RUN_IMAGE, type Workbench, workbench } from './export/testing/workbench.ts'
import { type RestoreInputs, restore } from './restore.ts'

const BUILD_IMAGE = 'registry.example/builder:1'
const EXTENSION = { group: groupOf().group, groupExtensions: groupOf('x/y').group }
const NAME = RUN_IMAGE.slice(0, RUN_IMAGE.lastIndexOf(':'))
const SWITCHED = { reference: RUN_IMAGE, image: RUN_IMAGE, extend: false }
const TARGET = {
  id: 'test.base',
  os: 'linux',
  arch: 'amd64',
  distro: { name: 'debian', version: '13' },
}

async function restored(
  bench: Workbench,
  runImage: AnalyzedRunImage | undefined,
  inputs: Partial<RestoreInputs> = {},
  platformApi = '0.15',
) {
  const { cache: _cache, ...context } = bench.context(platformApi)
  const { analyzed } = await restore(
    {
      analyzed: { ...EMPTY_ANALYZED, ...(runImage === undefined ? {} : { runImage }) },
      group: groupOf(),
      layersDir: containerPath('/layers'),
      ...inputs,
    },
    context,
  )
  return analyzed
}

/** What an extender finds in /kaniko. */
const kept = (bench: Workbench) =>
  bench.root.list(containerPath('/kaniko/cache/base')).map(({ name }) => name)

describe('the build image (cnb-spec R-3, IX-40)', () => {
  it('is recorded by its digest; its manifest and configuration are kept, its layers are not', async () => {
    const bench = workbench()
    const image = await bench.runImage(BUILD_IMAGE)
    const analyzed = await restored(bench, undefined, { buildImage: BUILD_IMAGE })
    expect(analyzed?.buildImage?.reference).toBe(`registry.example/builder@${image.digest}`)
    expect(kept(bench)).toEqual([image.digest])
    const layout = openLayout(join(bench.directory, 'root/kaniko/cache/base', image.digest))
    expect(layout.images()).toHaveLength(1)
    const repository = layout.repository('')
    const found = await readImage(repository, image.digest)
    expect(found?.config).toEqual(image.config)
    for (const { digest } of image.manifest.layers) expect(await repository.blobSize(digest)).toBe(undefined)
  })

  it('is nothing before Platform API 0.10', async () => {
    const bench = workbench()
    const analyzed = await restored(bench, undefined, { buildImage: 'registry.example/gone' }, '0.9')
    expect(analyzed?.buildImage).toBe(undefined)
    expect(kept(bench)).toEqual([])
  })

  it('that is not there, or cannot be kept, ends the phase with exit code 1', async () => {
    const bench = workbench()
    const refused = async (message: RegExp) =>
      expect(restored(bench, undefined, { buildImage: BUILD_IMAGE })).rejects.toMatchObject({
        exitCode: 1,
        message: expect.stringMatching(message),
      })
    await refused(/^pull builder image registry.example\/builder:1: there is no/)
    await bench.runImage(BUILD_IMAGE)
    bench.root.mkdir(containerPath('/'))
    writeFileSync(join(bench.directory, 'root/kaniko'), '')
    await refused(/^keep registry.example\/builder:1 for the extender: E/)
  })
})

describe('the run image (cnb-spec R-4, R-5, IX-41)', () => {
  it('that extensions add to is kept for the extender, with its digest and target', async () => {
    const bench = workbench()
    const { digest } = await bench.runImage()
    const analyzed = await restored(bench, { ...SWITCHED, extend: true, target: { os: 'old', arch: 'old' } })
    expect(analyzed?.runImage).toEqual({
      ...SWITCHED,
      extend: true,
      reference: `${NAME}@${digest}`,
      target: TARGET,
    })
    expect(kept(bench)).toEqual([digest])
  })

  it('that extensions add to is pulled by its name where the other images are in a daemon', async () => {
    const [daemon, registry] = [workbench(), workbench()]
    const { digest } = await registry.runImage()
    const { cache: _cache, ...context } = daemon.context()
    const runImage = { reference: '0123456789ab', image: RUN_IMAGE, extend: true, target: TARGET }
    const { analyzed } = await restore(
      { analyzed: { ...EMPTY_ANALYZED, runImage }, group: groupOf(), layersDir: containerPath('/layers') },
      { ...context, registries: registry.images },
    )
    expect(analyzed?.runImage?.reference).toBe(`${NAME}@${digest}`)
    expect(kept(daemon)).toEqual([digest])
  })

  it('that an extension chose gets digest and target, and nothing is kept of it', async () => {
    const bench = workbench()
    const { digest } = await bench.runImage()
    const analyzed = await restored(bench, SWITCHED, { group: EXTENSION })
    expect(analyzed?.runImage).toEqual({ ...SWITCHED, reference: `${NAME}@${digest}`, target: TARGET })
    expect(kept(bench)).toEqual([])
  })

  it('has no target before Platform API 0.12, and is looked at only with extensions', async () => {
    const bench = workbench()
    const { digest } = await bench.runImage()
    const extended = { ...SWITCHED, extend: true }
    const digested = { ...extended, reference: `${NAME}@${digest}` }
    expect((await restored(bench, extended, { group: EXTENSION }, '0.11'))?.runImage).toEqual(digested)
    expect((await restored(bench, extended, {}, '0.11'))?.runImage).toEqual(extended)
    expect((await restored(bench, extended, { group: EXTENSION }, '0.9'))?.runImage).toEqual(extended)
    expect(kept(bench)).toEqual([])
  })

  it('that is known is left as it is', async () => {
    const runImage = { ...SWITCHED, target: TARGET }
    expect((await restored(workbench(), runImage, { group: EXTENSION }))?.runImage).toBe(runImage)
  })

  it('is not extended where images are in directories', async () => {
    const bench = workbench()
    await bench.runImage()
    await restored(bench, { ...SWITCHED, extend: true }, { layout: true })
    expect(kept(bench)).toEqual([])
  })

  it('that is gone ends the phase with exit code 1', async () => {
    await expect(restored(workbench(), { ...SWITCHED, extend: true })).rejects.toMatchObject({
      exitCode: 1,
      code: 'RESTORE_RUN_IMAGE_INACCESSIBLE',
    })
  })
})
