import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { ORDINARY_USER } from '../../../lifecycle/commands/testing/lifecycle.ts'
import { extendRunImage } from '../../../lifecycle/phases/export/testing/extender.ts'
import type { Image } from '../../../oci/image.ts'
import type { Context } from '../context.ts'
import { type Check, platformsBefore, platformsFrom } from '../row.ts'
import { prepare } from './exported.ts'
import { chosen, WITH_EXTENSIONS } from './extending.ts'

/** A restorer that finds a directory of the place at /kaniko. */
function restoreWithKaniko(context: Context, args: readonly string[] = []) {
  const kaniko = context.place.path('kaniko')
  mkdirSync(kaniko, { recursive: true })
  chmodSync(kaniko, 0o777)
  const user = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
  return context.run('lifecycle', ['restore', '-layers', context.place.path('layers'), ...user, ...args], {
    kaniko,
  })
}

const kept = ({ place }: Context) =>
  existsSync(place.path('kaniko/cache/base')) ? readdirSync(place.path('kaniko/cache/base')) : []

/** group.toml with an extension. */
function groupWithExtension({ group, place, buildpackApi }: Context): void {
  group('a/b')
  place.write(
    'layers/group.toml',
    `${place.read('layers/group.toml')}[[group-extensions]]\nid = "x/y"\nversion = "1.0.0"\napi = "${buildpackApi}"\n`,
  )
}

const METADATA = '[[extensions]]\nid = "x/y"\nversion = "1.0.0"\napi = "0.12"\nhomepage = "https://x.test"\n'

/** Exports on a run image that an extender has added a layer to. */
async function exportExtended(context: Context, rebasable: string): Promise<{ base: Image; image: Image }> {
  const { place } = context
  await prepare(context, { metadata: METADATA })
  place.write('layers/analyzed.toml', `${place.read('layers/analyzed.toml')}extend = true\n`)
  const base = await context.image('run:base')
  const layer = {
    createdBy: "Layer: 'RUN x', Created by extension: x/y",
    entries: [
      {
        type: 'file',
        name: 'opt/x',
        mode: 0o600,
        uid: 3,
        gid: 4,
        mtime: 1_700_000_000,
        content: Buffer.from('x'),
      },
    ],
  } as const
  await extendRunImage(place.path('layers/extended'), base, [layer], {
    User: '7',
    Env: ['PATH=/opt'],
    Labels: { 'io.buildpacks.rebasable': rebasable },
  })
  const { code, stdout } = await context.export([`${context.images}/app`], { CNB_EXPERIMENTAL_MODE: 'quiet' })
  context.expect(stdout).toContain('*** Images')
  context.expect(code).toBe(0)
  return { base, image: await context.image('app') }
}

/** What comes before and after an extender's work: cnb-spec §8.5 to §8.7, and what other sections say of it. */
export const EXTENDED_IMAGES: readonly Check[] = [
  {
    id: 'V-41',
    title: 'the exporter refuses an extended run image before P 0.13 where experimental features are off',
    platformApis: ['0.12', '0.13'],
    async run(context) {
      await prepare(context)
      context.place.write('layers/extended/run/any/file', '')
      const { code, stdout } = await context.export([`${context.images}/app`])
      context.expect(stdout.includes('experimental features are disabled')).toBe(!context.isPlatform('0.13'))
      context.expect(code).toBe(context.isPlatform('0.13') ? 0 : 1)
    },
  },
  {
    id: 'R-3',
    title:
      'the build image is recorded by its digest, and kept without layers for an extender; not before P 0.10',
    platformApis: [...platformsBefore('0.10'), ...WITH_EXTENSIONS],
    async run(context) {
      const { place, expect, isPlatform, images, group } = context
      group('a/b')
      const builder = await context.runImage('builder')
      const args = isPlatform('0.10') ? ['-build-image', builder] : []
      const { code } = await restoreWithKaniko(context, args)
      expect(code).toBe(0)
      const { digest } = await context.image('builder:base')
      expect(kept(context)).toEqual(isPlatform('0.10') ? [digest] : [])
      const reference = `[build-image]\n  reference = "${images}/builder@${digest}"\n`
      expect(place.read('layers/analyzed.toml').includes(reference)).toBe(isPlatform('0.10'))
    },
  },
  {
    id: 'IX-40',
    title: 'the kept build image is an OCI layout of manifest and configuration',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect, group } = context
      group('a/b')
      const builder = await context.runImage('builder')
      expect((await restoreWithKaniko(context, ['-build-image', builder])).code).toBe(0)
      const { digest, manifest } = await context.image('builder:base')
      const layout = `kaniko/cache/base/${digest}`
      expect(JSON.parse(place.read(`${layout}/oci-layout`))).toEqual({ imageLayoutVersion: '1.0.0' })
      expect(JSON.parse(place.read(`${layout}/index.json`)).manifests).toMatchObject([{ digest }])
      expect(readdirSync(place.path(layout, 'blobs/sha256')).sort()).toEqual(
        [digest, manifest.config.digest].map((name) => name.replace('sha256:', '')).sort(),
      )
      const gone = await restoreWithKaniko(context, ['-build-image', `${context.images}/gone`])
      expect(gone.stdout).toContain(`pull builder image ${context.images}/gone`)
      expect(gone.code).toBe(1)
    },
  },
  {
    id: 'R-4',
    title: 'a run image that is to be extended is kept for the extender, its reference a digest',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { place, expect, images } = context
      groupWithExtension(context)
      const name = await context.runImage()
      place.write(
        'layers/analyzed.toml',
        `[run-image]\nreference = "${name}"\nimage = "${name}"\nextend = true\n`,
      )
      expect((await restoreWithKaniko(context)).code).toBe(0)
      const { digest } = await context.image('run:base')
      expect(kept(context)).toEqual([digest])
      expect(chosen(place)).toContain(
        `reference = "${images}/run@${digest}"\n  image = "${name}"\n  extend = true\n`,
      )
    },
  },
  {
    id: 'R-5',
    title: 'a target that analyzed.toml lacks is filled in',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { place, expect } = context
      groupWithExtension(context)
      const Labels = { 'io.buildpacks.base.distro.name': 'debian', 'io.buildpacks.base.distro.version': '13' }
      const name = await context.runImage('run', { Labels })
      place.write('layers/analyzed.toml', `[run-image]\nreference = "${name}"\nimage = "${name}"\n`)
      expect((await context.restore()).code).toBe(0)
      expect(chosen(place)).toMatch(
        /os = "linux"\n {4}arch = ".*"\n {4}\[run-image.target.distro\]\n {6}name = "debian"\n {6}version = "13"/,
      )
    },
  },
  {
    id: 'IX-41',
    title:
      'a run image that an extension chose gets its digest, from P 0.12 on its target; nothing is kept of it',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect, images, isPlatform } = context
      groupWithExtension(context)
      const name = await context.runImage()
      place.write('layers/analyzed.toml', `[run-image]\nreference = "${name}"\nimage = "${name}"\n`)
      expect((await restoreWithKaniko(context)).code).toBe(0)
      const { digest } = await context.image('run:base')
      expect(chosen(place)).toContain(`reference = "${images}/run@${digest}"\n  image = "${name}"\n`)
      expect(chosen(place).includes('[run-image.target]')).toBe(isPlatform('0.12'))
      expect(kept(context)).toEqual([])
      place.write(
        'layers/analyzed.toml',
        `[run-image]\nreference = "${images}/gone"\nimage = "${images}/gone"\n`,
      )
      expect((await context.restore()).code).toBe(1)
    },
  },
  {
    id: 'IX-42',
    title: 'where nothing is to be kept, /kaniko need not be there',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      groupWithExtension(context)
      await context.analyzed(await context.runImage())
      context.expect((await context.restore()).code).toBe(0)
    },
  },
  {
    id: 'IX-60',
    title: 'the extender says with its own code that it runs no Dockerfiles, and refuses another kind with 3',
    platformApis: WITH_EXTENSIONS,
    async run({ run: start, expect, isPlatform }) {
      const ended = await start('extender', [])
      expect(ended.stdout).toContain('ERROR: failed to extend: this lifecycle does not extend images')
      expect(ended.code).toBe(102)
      expect((await start('extender', ['-kind', 'base'])).code).toBe(isPlatform('0.12') ? 3 : 2)
      expect((await start('extender', ['x'])).code).toBe(3)
    },
  },
  {
    id: 'IX-56',
    title:
      'the exporter takes configuration and new layers from the one image in <extended>/run; none or two are 62',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { place, expect } = context
      const { base, image } = await exportExtended(context, 'true')
      const below = base.manifest.layers.length
      expect(image.manifest.layers.slice(0, below)).toEqual(base.manifest.layers)
      expect((await context.entries('app'))[below]?.map(({ entry }) => entry.name)).toEqual(['opt/x'])
      expect(image.config.config).toMatchObject({
        User: '7',
        Env: expect.arrayContaining(['PATH=/cnb/process:/cnb/lifecycle:/opt']),
      })
      const again = () => context.export([`${context.images}/again`], { CNB_EXPERIMENTAL_MODE: 'quiet' })
      mkdirSync(place.path('layers/extended/run/second'))
      expect((await again()).code).toBe(62)
      const elsewhere = ['-extended', place.path('nothing'), `${context.images}/again`]
      const missing = await context.export(elsewhere)
      expect(missing.stdout).toContain('missing extended run image')
      expect(missing.code).toBe(62)
    },
  },
  {
    id: 'IX-59',
    title: 'each added layer’s history says which extension it is from',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { base, image } = await exportExtended(context, 'true')
      const { history = [] } = image.config
      context
        .expect(history[base.manifest.layers.length]?.created_by)
        .toBe("Layer: 'RUN x', Created by extension: x/y")
    },
  },
  {
    id: 'TR-6',
    title: 'an extension’s layer keeps names, owners and modes, and gets the time of every layer',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { base } = await exportExtended(context, 'true')
      const [found] = (await context.entries('app'))[base.manifest.layers.length] ?? []
      context
        .expect(found?.entry)
        .toMatchObject({ name: 'opt/x', mode: 0o600, uid: 3, gid: 4, mtime: 315532801 })
      context.expect(String(found?.data)).toBe('x')
    },
  },
  {
    id: 'LA-2',
    title: 'the app has the label io.buildpacks.rebasable of the extended run image',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { image } = await exportExtended(context, 'false')
      context.expect(image.config.config?.Labels?.['io.buildpacks.rebasable']).toBe('false')
    },
  },
  {
    id: 'IX-70',
    title: 'the labels name the extensions, and as the top layer of the run image that below what they added',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { base } = await exportExtended(context, 'true')
      context
        .expect((await context.label('app', 'io.buildpacks.build.metadata')).extensions)
        .toEqual([{ id: 'x/y', version: '1.0.0', homepage: 'https://x.test' }])
      context
        .expect(await context.label('app', 'io.buildpacks.lifecycle.metadata'))
        .toMatchObject({ runImage: { topLayer: base.config.rootfs.diff_ids.at(-1) } })
    },
  },
]
