import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { imageLayers } from '../../oci/read-image.ts'
import { extendRunImage } from './export/testing/extender.ts'
import {
  APP,
  type Built,
  groupOf,
  LAUNCHER,
  layerEntries,
  METADATA,
  metadataOf,
  OWNER,
  RUN,
  RUN_IMAGE,
  type Workbench,
  workbench,
} from './export/testing/workbench.ts'
import { exportImage } from './export.ts'

const EXTENDED_CONFIG = {
  User: '7',
  Env: ['PATH=/opt/bin', 'ADDED=yes'],
  Labels: { 'io.buildpacks.rebasable': 'false' },
}

/** Extends the run image by two layers, as an extender would at `mtime`. */
async function extended(bench: Workbench, mtime = 1_700_000_000) {
  const base = await bench.runImage()
  const directory = join(bench.directory, 'root/layers/extended')
  const file = (name: string) =>
    [{ type: 'file', name, mode: 0o600, uid: 3, gid: 4, mtime, content: Buffer.from(name) }] as const
  const image = await extendRunImage(
    directory,
    base,
    [
      { createdBy: "Layer: 'RUN one', Created by extension: x/one", entries: file('etc/one') },
      { createdBy: 'RUN two', entries: file('etc/two') },
    ],
    EXTENDED_CONFIG,
  )
  return { base, image, directory }
}

async function exported(bench: Workbench, platformApi = '0.15', extend = true): Promise<Built['image']> {
  const { digest } = await bench.image(RUN_IMAGE)
  bench.write({ '/layers/config/metadata.toml': METADATA, '/workspace/app.js': '' })
  const { cache: _cache, ...context } = bench.context(platformApi)
  const name = RUN_IMAGE.slice(0, RUN_IMAGE.lastIndexOf(':'))
  await exportImage(
    {
      images: [APP],
      analyzed: {
        runImage: { reference: `${name}@${digest}`, image: RUN_IMAGE, extend },
        metadata: metadataOf(await bench.image(RUN_IMAGE)),
      },
      group: groupOf('test/node'),
      run: RUN,
      layersDir: containerPath('/layers'),
      appDir: containerPath('/workspace'),
      owner: OWNER,
      launcher: LAUNCHER,
    },
    context,
  )
  return bench.image(APP)
}

describe('an extended run image (cnb-spec IX-56, IX-59, IX-70)', () => {
  it('puts its layers between the run image and the build, and its configuration under the app', async () => {
    const bench = workbench()
    const { base } = await extended(bench)
    const image = await exported(bench)
    const below = base.manifest.layers.length
    expect(image.manifest.layers.slice(0, below)).toEqual(base.manifest.layers)
    expect((await layerEntries(image, below)).slice(0, 2)).toEqual([
      ['file 600 3:4 etc/one'],
      ['file 600 3:4 etc/two'],
    ])
    expect(image.config.history?.slice(below, below + 3).map((entry) => entry.created_by)).toEqual([
      "Layer: 'RUN one', Created by extension: x/one",
      'RUN two',
      'Application Layer',
    ])
    expect(image.config.config).toMatchObject({
      User: '7',
      Env: expect.arrayContaining(['ADDED=yes', 'PATH=/cnb/process:/cnb/lifecycle:/opt/bin']),
      Labels: { 'io.buildpacks.rebasable': 'false' },
    })
    expect(image.config.config?.Labels).not.toHaveProperty('io.buildpacks.base.id')
    expect(
      bench
        .seen('layer-exported')
        .map(({ layer, kind }) => `${kind} ${layer}`)
        .slice(0, 2),
    ).toEqual(['extension x/one:extended-layer-1', 'extension from extensions:extended-layer-2'])
  })

  it('leaves the run image’s top layer in the metadata, so that a rebase finds it', async () => {
    const bench = workbench()
    const { base } = await extended(bench)
    expect(metadataOf(await exported(bench)).runImage.topLayer).toBe(base.config.rootfs.diff_ids.at(-1))
  })

  it('is the same layer whenever it was made (TR-6)', async () => {
    const diffIds = async (mtime: number) => {
      const bench = workbench()
      await extended(bench, mtime)
      return imageLayers(await exported(bench)).map(({ diffId }) => diffId)
    }
    expect(await diffIds(1_600_000_000)).toEqual(await diffIds(1_700_000_000))
  })

  it('counts only where analyzed.toml says so, from Platform API 0.12 on', async () => {
    for (const [api, extend] of [
      ['0.15', false],
      ['0.11', true],
    ] as const) {
      const bench = workbench()
      const { base } = await extended(bench)
      const image = await exported(bench, api, extend)
      expect((await layerEntries(image, base.manifest.layers.length))[0]?.join()).not.toContain('etc/one')
      expect(image.config.config?.User).toBe(base.config.config?.User)
    }
  })

  it('is an error where it is missing, is not one, or lacks a layer', async () => {
    const bench = workbench()
    const { directory, image } = await extended(bench)
    const failed = async (message: string) =>
      expect(exported(bench)).rejects.toMatchObject({
        exitCode: 62,
        message: expect.stringContaining(message),
      })
    const layer = image.manifest.layers.at(-1)?.digest.replace(':', '/') ?? ''
    rmSync(join(directory, 'run', image.digest, 'blobs', layer))
    await failed('is neither there nor of the run image')
    mkdirSync(join(directory, 'run/other'))
    await failed('expected 1 image, found 2')
    rmSync(join(directory, 'run', image.digest), { recursive: true })
    await failed('expected an index with 1 manifest, found 0')
    rmSync(join(directory, 'run/other'), { recursive: true })
    await failed('missing extended run image: there is nothing in /layers/extended/run')
  })
})
