import { type Check, platformsBefore, platformsFrom } from '../row.ts'
import { layer, prepare } from './exported.ts'

const BASE_LABELS = {
  'io.buildpacks.base.distro.name': 'debian',
  'io.buildpacks.stack.id': 'some.stack',
  other: 'o',
}

/** cnb-spec §5.5, §5.6, §5.7 */
export const IMAGE: readonly Check[] = [
  {
    id: 'CF-1',
    title: 'variables: layers, app, Platform API, deprecation mode, and PATH in front of the base’s',
    async run(context) {
      const { expect, place, images } = context
      for (const [base, path] of [
        ['PATH=/usr/bin:/bin', '/usr/bin:/bin'],
        ['PATH=', ''],
      ] as const) {
        await prepare(context, { runConfig: { Env: [base, 'KEPT=1'] } })
        expect((await context.export([`${images}/app`])).code).toBe(0)
        const { Env = [] } = await context.config('app')
        expect([...Env].sort()).toEqual([
          `CNB_APP_DIR=${place.path('app')}`,
          'CNB_DEPRECATION_MODE=quiet',
          `CNB_LAYERS_DIR=${place.path('layers')}`,
          `CNB_PLATFORM_API=${context.platformApi}`,
          'KEPT=1',
          `PATH=/cnb/process:/cnb/lifecycle:${path}`,
        ])
        expect(Env[0]).toMatch(/^PATH=/)
      }
    },
  },
  {
    id: 'CF-2',
    title: 'the working directory is the app’s, and there is no Cmd',
    async run(context) {
      await prepare(context, { runConfig: { Cmd: ['/bin/sh'], WorkingDir: '/else', Env: ['PATH=/bin'] } })
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      const { WorkingDir, Cmd } = await context.config('app')
      context.expect([WorkingDir, Cmd ?? []]).toEqual([context.place.path('app'), []])
    },
  },
  {
    id: 'CF-3',
    title:
      'the entry point: -process-type, else the buildpacks’ default, else the launcher; an unknown type is 62',
    async run(context) {
      const { expect, images } = context
      const entrypoint = async (flags: string[], defaultType?: string, env = {}) => {
        await prepare(context, {
          processes: ['web', 'worker'],
          ...(defaultType === undefined ? {} : { defaultType }),
        })
        const ended = await context.export([...flags, `${images}/app`], env)
        return ended.code === 0 ? (await context.config('app')).Entrypoint : ended.code
      }
      expect(await entrypoint([])).toEqual(['/cnb/lifecycle/launcher'])
      expect(await entrypoint([], 'web')).toEqual(['/cnb/process/web'])
      expect(await entrypoint(['-process-type', 'worker'], 'web')).toEqual(['/cnb/process/worker'])
      expect(await entrypoint([], 'web', { CNB_PROCESS_TYPE: 'worker' })).toEqual(['/cnb/process/worker'])
      expect(await entrypoint(['-process-type', 'no'], 'web')).toBe(62)
    },
  },
  {
    id: 'CF-4',
    title: '`created` is SOURCE_DATE_EPOCH from P 0.9 on, else 1980; layers do not change with it',
    async run(context) {
      const { expect, images, isPlatform } = context
      await prepare(context)
      layer(context, 'l', 'launch = true')
      const created = async (env: Record<string, string>) => {
        const ended = await context.export([`${images}/app`], env)
        expect(ended.code).toBe(0)
        const { config } = await context.image('app')
        return { created: config.created, layers: config.rootfs.diff_ids, stdout: ended.stdout }
      }
      const plain = await created({})
      expect(plain.created).toBe('1980-01-01T00:00:01Z')
      const dated = await created({ SOURCE_DATE_EPOCH: '1700000000' })
      expect(dated.created).toBe(isPlatform('0.9') ? '2023-11-14T22:13:20Z' : '1980-01-01T00:00:01Z')
      expect(dated.layers).toEqual(plain.layers)
      const broken = await created({ SOURCE_DATE_EPOCH: 'soon' })
      expect(broken.created).toBe('1980-01-01T00:00:01Z')
      if (isPlatform('0.9')) expect(broken.stdout).toContain('Ignoring invalid SOURCE_DATE_EPOCH')
    },
  },
  {
    id: 'CF-5',
    title: 'os and architecture are the run image’s',
    async run(context) {
      await prepare(context)
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      const [app, run] = [await context.image('app'), await context.image('run:base')]
      context
        .expect([app.config.os, app.config.architecture])
        .toEqual([run.config.os, run.config.architecture])
    },
  },
  {
    id: 'CF-6',
    title: 'the user is the run image’s',
    async run(context) {
      await prepare(context, { runConfig: { User: '1234:5678' } })
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      context.expect((await context.config('app')).User).toBe('1234:5678')
    },
  },
  {
    id: 'LA-1',
    title: 'the three labels, and the buildpacks’ own of which the later wins',
    async run(context) {
      const { expect, images, isPlatform } = context
      const label = (value: string) => `[[labels]]\nkey = "k"\nvalue = "${value}"\n`
      await prepare(context, { metadata: label('one') + label('two'), defaultType: 'web' })
      layer(context, 'l', 'launch = true')
      context.place.write(
        'layers/project-metadata.toml',
        '[source]\ntype = "git"\n[source.version]\ncommit = "abc"\n',
      )
      expect((await context.export([`${images}/app`])).code).toBe(0)
      expect((await context.config('app')).Labels?.k).toBe('two')
      expect(await context.label('app', 'io.buildpacks.project.metadata')).toEqual({
        source: { type: 'git', version: { commit: 'abc' } },
      })
      expect(await context.label('app', 'io.buildpacks.build.metadata')).toMatchObject({
        processes: [
          {
            type: 'web',
            command: isPlatform('0.10') ? ['run'] : 'run',
            args: ['x'],
            direct: true,
            buildpackID: 'a/b',
          },
        ],
        buildpacks: [{ id: 'a/b', version: '1.0.0' }],
        'buildpack-default-process-type': 'web',
        launcher: expect.anything(),
      })
      const lifecycle = await context.label('app', 'io.buildpacks.lifecycle.metadata')
      const { diff_ids } = (await context.image('app')).config.rootfs
      expect(lifecycle).toMatchObject({
        app: [{ sha: expect.stringMatching(/^sha256:/) }],
        buildpacks: [
          {
            key: 'a/b',
            version: '1.0.0',
            layers: { l: { sha: diff_ids[2], data: { v: 1 }, launch: true, cache: false, build: false } },
          },
        ],
        launcher: { sha: expect.stringMatching(/^sha256:/) },
        config: { sha: expect.stringMatching(/^sha256:/) },
        'process-types': { sha: diff_ids.at(-1) },
        runImage: { topLayer: diff_ids[1], reference: expect.stringContaining('/run@sha256:') },
        stack: { runImage: expect.anything() },
      })
    },
  },
  {
    id: 'LA-1',
    title: 'an empty project label without the file',
    async run(context) {
      await prepare(context)
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      context.expect((await context.config('app')).Labels?.['io.buildpacks.project.metadata']).toBe('{}')
    },
  },
  {
    id: 'LA-3',
    title: 'labels of the run image are kept',
    async run(context) {
      await prepare(context, { runConfig: { Labels: BASE_LABELS } })
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      context.expect((await context.config('app')).Labels).toMatchObject(BASE_LABELS)
      context.expect((await context.config('app')).Labels).not.toHaveProperty('io.buildpacks.rebasable')
    },
  },
  {
    id: 'LA-4',
    title: 'the execution environment is a label, from P 0.15 on',
    platformApis: platformsFrom('0.14'),
    async run(context) {
      await prepare(context)
      context.expect((await context.export([`${context.images}/app`], { CNB_EXEC_ENV: 'test' })).code).toBe(0)
      const { Labels } = await context.config('app')
      context.expect(Labels?.['io.buildpacks.exec-env']).toBe(context.isPlatform('0.15') ? 'test' : undefined)
    },
  },
  {
    id: 'ES-1',
    title: 'one layer with all of <layers>/sbom/launch at its place, named in the label',
    platformApis: platformsFrom('0.8'),
    async run(context) {
      await prepare(context)
      context.place.write('layers/sbom/launch/a_b/sbom.cdx.json', '{}')
      context.place.write('layers/sbom/build/a_b/sbom.cdx.json', '{}')
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      const { sbom } = (await context.label('app', 'io.buildpacks.lifecycle.metadata')) as unknown as {
        sbom: { sha: string }
      }
      const index = (await context.image('app')).config.rootfs.diff_ids.indexOf(sbom.sha as never)
      const names = ((await context.entries('app'))[index] ?? []).map(({ entry }) => entry.name)
      context.expect(names).toContain(context.place.path('layers/sbom/launch/a_b/sbom.cdx.json'))
      context.expect(names.join(' ')).not.toContain('/sbom/build')
    },
  },
  {
    id: 'ES-2',
    title: 'SBOMs beside the launcher are part of the image, from P 0.11 on',
    platformApis: platformsFrom('0.11'),
    async run(context) {
      await prepare(context)
      context.place.write('sboms/launcher.sbom.cdx.json', '{"of":"launcher"}')
      const flags = ['-launcher-sbom', context.place.path('sboms')]
      context.expect((await context.export([...flags, `${context.images}/app`])).code).toBe(0)
      const names = (await context.entries('app')).flat().map(({ entry }) => entry.name)
      context
        .expect(names.join('\n'))
        .toMatch(/\/sbom\/launch\/buildpacksio_lifecycle\/launcher\/[a-z.]*sbom\.cdx\.json$/m)
    },
  },
  {
    id: 'ES-2',
    title: 'before P 0.8 there is no SBOM layer',
    platformApis: platformsBefore('0.8'),
    async run(context) {
      await prepare(context)
      context.place.write('layers/sbom/launch/a_b/sbom.cdx.json', '{}')
      context.expect((await context.export([`${context.images}/app`])).code).toBe(0)
      const names = (await context.entries('app')).flat().map(({ entry }) => entry.name)
      context.expect(names.join('\n')).not.toContain('sbom')
    },
  },
]
