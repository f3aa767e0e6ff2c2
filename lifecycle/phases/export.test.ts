import { describe, expect, it } from 'vitest'
import { MEDIA_TYPES } from '../../oci/image.ts'
import { validateImage } from '../../oci/testing/index.ts'
import {
  APP,
  build,
  groupOf,
  LAUNCHER,
  layerEntries,
  METADATA,
  RUN_IMAGE,
  workbench,
} from './export/testing/workbench.ts'

const LAUNCH = '[types]\nlaunch = true\n'

/** An app with one launch layer. */
const app = { '/workspace/server.js': 'listen()', '/workspace/public/index.html': '<h1>' }
const layer = { '/layers/test_node/deps/bin/tool': '#!/bin/sh', '/layers/test_node/deps.toml': LAUNCH }

describe('the image of a first build', () => {
  it('is complete, and its layers stand in the order of the spec with fixed owners', async () => {
    const bench = workbench()
    const run = await bench.runImage()
    bench.write(app)
    const { image } = await build(bench, {
      build: () =>
        bench.write({
          ...layer,
          '/layers/sbom/launch/test_node/deps/sbom.cdx.json': '{}',
          '/layers/test_node/unused/file': 'not for the image',
        }),
    })
    await validateImage(image)
    const below = run.manifest.layers.length
    expect(image.config.rootfs.diff_ids.slice(0, below)).toEqual(run.config.rootfs.diff_ids)
    const owner = '1001:1002'
    expect(await layerEntries(image, below)).toEqual([
      [
        `directory 755 ${owner} /layers`,
        `directory 755 ${owner} /layers/test_node`,
        `directory 755 ${owner} /layers/test_node/deps`,
        `directory 755 ${owner} /layers/test_node/deps/bin`,
        `file 755 ${owner} /layers/test_node/deps/bin/tool`,
      ],
      [
        `directory 755 ${owner} /layers`,
        `directory 755 ${owner} /layers/sbom`,
        `directory 755 ${owner} /layers/sbom/launch`,
        `directory 755 ${owner} /layers/sbom/launch/test_node`,
        `directory 755 ${owner} /layers/sbom/launch/test_node/deps`,
        `file 644 ${owner} /layers/sbom/launch/test_node/deps/sbom.cdx.json`,
      ],
      [
        `directory 755 ${owner} /workspace`,
        `directory 755 ${owner} /workspace/public`,
        `file 644 ${owner} /workspace/public/index.html`,
        `file 644 ${owner} /workspace/server.js`,
      ],
      ['directory 755 0:0 /cnb', 'directory 755 0:0 /cnb/lifecycle', 'file 755 0:0 /cnb/lifecycle/launcher'],
      [
        `directory 755 ${owner} /layers`,
        `directory 755 ${owner} /layers/config`,
        `file 644 ${owner} /layers/config/metadata.toml`,
      ],
      [
        'directory 755 0:0 /cnb',
        'directory 755 0:0 /cnb/process',
        'symlink 755 0:0 /cnb/process/web -> /cnb/lifecycle/launcher',
      ],
    ])
    expect(bench.seen('layer-exported').map(({ layer, kind, outcome }) => [layer, kind, outcome])).toEqual([
      ['test/node:deps', 'buildpack', 'added'],
      ['buildpacksio/lifecycle:launch.sbom', 'sbom', 'added'],
      ['slice-1', 'app', 'added'],
      ['buildpacksio/lifecycle:launcher', 'launcher', 'added'],
      ['buildpacksio/lifecycle:config', 'config', 'added'],
      ['buildpacksio/lifecycle:process-types', 'process-types', 'added'],
    ])
  })

  it('has the configuration and the labels of the spec', async () => {
    const bench = workbench()
    const run = await bench.runImage()
    bench.write(app)
    const { image } = await build(bench, {
      build: () => bench.write({ ...layer, '/layers/test_node/store.toml': '[metadata]\nkept = 1\n' }),
      export: { execEnv: 'production', project: { source: { type: 'git' } } },
    })
    const { config } = image.config
    expect(image.config.created).toBe('1980-01-01T00:00:01Z')
    expect(config?.Env).toEqual([
      'PATH=/cnb/process:/cnb/lifecycle:/usr/bin:/bin',
      'LANG=C.UTF-8',
      'CNB_LAYERS_DIR=/layers',
      'CNB_APP_DIR=/workspace',
      'CNB_PLATFORM_API=0.15',
      'CNB_DEPRECATION_MODE=quiet',
    ])
    expect(config?.Entrypoint).toEqual(['/cnb/process/web'])
    expect(config?.Cmd ?? null).toBe(null)
    expect(config?.WorkingDir).toBe('/workspace')
    expect(config?.User).toBe('1001:1002')
    expect(image.config.history?.map(({ created_by }) => created_by)).toEqual([
      'layer 0',
      'layer 1',
      "Layer: 'deps', Created by buildpack: test/node@1.2.3",
      'Application Layer',
      'Buildpacks Application Launcher',
      'Buildpacks Launcher Config',
      'Buildpacks Process Types',
    ])
    const [, , deps, slice, launcher, configLayer, processTypes] = image.config.rootfs.diff_ids
    const labels = config?.Labels ?? {}
    expect(labels['io.buildpacks.base.id']).toBe('test.base')
    expect(labels['io.buildpacks.exec-env']).toBe('production')
    expect(labels['io.buildpacks.lifecycle.metadata']).toBe(
      `{"app":[{"sha":"${slice}"}],"buildpacks":[{"key":"test/node","version":"1.2.3","layers":{"deps":{"sha":"${deps}",` +
        `"data":null,"build":false,"launch":true,"cache":false}},"store":{"metadata":{"kept":1}}}],` +
        `"config":{"sha":"${configLayer}"},"launcher":{"sha":"${launcher}"},"process-types":{"sha":"${processTypes}"},` +
        `"runImage":{"topLayer":"${run.config.rootfs.diff_ids.at(-1)}","reference":"registry.example/base@${run.digest}",` +
        `"image":"${RUN_IMAGE}","mirrors":["mirror.example/base:run"]},` +
        `"stack":{"runImage":{"image":"${RUN_IMAGE}","mirrors":["mirror.example/base:run"]}}}`,
    )
    expect(labels['io.buildpacks.build.metadata']).toBe(
      '{"buildpacks":[{"id":"test/node","version":"1.2.3"}],' +
        '"launcher":{"version":"9.9.9","source":{"git":{"repository":"git.example/slipway","commit":"abc"}}},' +
        '"processes":[{"type":"web","command":["node"],"args":["server.js"],"direct":true,"buildpackID":"test/node"}],' +
        '"buildpack-default-process-type":"web"}',
    )
    expect(labels['io.buildpacks.project.metadata']).toBe('{"source":{"type":"git"}}')
    expect(bench.seen('label-added').map(({ key }) => key)).toEqual([
      'io.buildpacks.lifecycle.metadata',
      'io.buildpacks.build.metadata',
      'io.buildpacks.project.metadata',
      'io.buildpacks.exec-env',
    ])
  })

  it('is the same from two places, whatever the time and the modes of directories above', async () => {
    const digests = []
    for (const _ of [1, 2]) {
      const bench = workbench()
      await bench.runImage()
      bench.write(app)
      const { report, image } = await build(bench, { build: () => bench.write(layer) })
      expect(report.image).toEqual({
        tags: [APP],
        digest: image.digest,
        manifestSize: image.manifestBytes.length,
      })
      digests.push(image.digest)
    }
    expect(digests[0]).toBe(digests[1])
  })

  it.each([
    ['oci', MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociConfig, MEDIA_TYPES.ociLayerGzip],
    ['docker', MEDIA_TYPES.dockerManifest, MEDIA_TYPES.dockerConfig, MEDIA_TYPES.dockerLayerGzip],
  ] as const)(
    'has the media types of an %s base and no others',
    async (mediaTypes, manifest, config, layers) => {
      const bench = workbench()
      await bench.runImage(RUN_IMAGE, { mediaTypes })
      bench.write(app)
      const { image } = await build(bench, { build: () => bench.write(layer) })
      expect(image.mediaType).toBe(manifest)
      expect(image.manifest.config.mediaType).toBe(config)
      expect(new Set(image.manifest.layers.map(({ mediaType }) => mediaType))).toEqual(new Set([layers]))
    },
  )

  it('has what older platforms expect', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { image, report } = await build(bench, {
      platformApi: '0.8',
      export: { sourceDateEpoch: '1700000000', execEnv: 'test' },
      build: () =>
        bench.write({
          '/layers/test_node/build.toml': '[[bom]]\nname = "tool"\n[bom.metadata]\nversion = "1"\n',
        }),
    })
    for (const entry of image.config.history ?? []) expect(entry).toEqual({ created: '1980-01-01T00:00:01Z' })
    expect(image.config.created).toBe('1980-01-01T00:00:01Z')
    expect(image.config.config?.Labels).not.toHaveProperty('io.buildpacks.exec-env')
    expect(image.config.config?.Labels?.['io.buildpacks.lifecycle.metadata']).toContain(
      '"runImage":{"topLayer"',
    )
    expect(report.buildBom).toMatchObject([{ name: 'tool', buildpack: { id: 'test/node' } }])
  })
})

describe('the launcher', () => {
  it('brings its SBOMs, which stand in the launch SBOM layer', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const sbom = { name: 'sbom.cdx.json', bytes: Buffer.from('{}') }
    const { image } = await build(bench, {
      export: { launcher: { ...LAUNCHER, launcherSboms: [sbom], lifecycleSboms: [sbom] } },
      build: () => {},
    })
    const [sbomLayer] = await layerEntries(image, 2)
    expect(sbomLayer?.at(-1)).toBe(
      'file 644 1001:1002 /layers/sbom/launch/buildpacksio_lifecycle/launcher/sbom.cdx.json',
    )
    expect(bench.root.readText('/layers/sbom/build/buildpacksio_lifecycle/sbom.cdx.json' as never)).toBe('{}')
  })

  it('is the entrypoint where there is no default process', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { image } = await build(bench, {
      build: () => bench.write({ '/layers/config/metadata.toml': METADATA.replace(/^.*\n/, '') }),
    })
    expect(image.config.config?.Entrypoint).toEqual(['/cnb/lifecycle/launcher'])
    expect(bench.seen('default-process')).toMatchObject([{ process: undefined }])
  })
})

describe('slices', () => {
  it('are layers of their own before the rest of the app', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write({ ...app, '/workspace/node_modules/a/index.js': 'a' })
    const { image, metadata } = await build(bench, {
      build: () =>
        bench.write({
          '/layers/config/metadata.toml': `${METADATA}\n[[slices]]\npaths = ["node_modules"]\n[[slices]]\npaths = ["none"]\n`,
        }),
    })
    expect(metadata.app).toHaveLength(3)
    const [modules, none, rest] = await layerEntries(image, 2)
    expect(modules?.at(-1)).toBe('file 644 1001:1002 /workspace/node_modules/a/index.js')
    expect(none).toEqual([])
    expect(rest?.map((entry) => entry.split(' ').at(-1))).toEqual([
      '/workspace',
      '/workspace/public',
      '/workspace/public/index.html',
      '/workspace/server.js',
    ])
    expect(image.config.history?.slice(2, 5).map(({ created_by }) => created_by)).toEqual([
      'Application Slice: 1',
      'Application Slice: 2',
      'Application Slice: 3',
    ])
  })
})

describe('what the build left', () => {
  it('may belong to several buildpacks, in the order of the group', async () => {
    const bench = workbench()
    await bench.runImage()
    bench.write(app)
    const { metadata } = await build(bench, {
      group: groupOf('z/last', 'a/first'),
      build: () =>
        bench.write({
          '/layers/z_last/one/file': '1',
          '/layers/z_last/one.toml': LAUNCH,
          '/layers/a_first/two/file': '2',
          '/layers/a_first/two.toml': LAUNCH,
          '/layers/a_first/launch.toml': '',
          '/layers/stranger/three.toml': LAUNCH,
        }),
    })
    expect(metadata.buildpacks.map(({ id, layers }) => [id, [...layers.keys()]])).toEqual([
      ['z/last', ['one']],
      ['a/first', ['two']],
    ])
    expect(
      bench
        .seen('layer-exported')
        .slice(0, 2)
        .map(({ layer }) => layer),
    ).toEqual(['z/last:one', 'a/first:two'])
  })
})
