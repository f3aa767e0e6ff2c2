import {
  BASE_LABELS,
  type Images,
  rebaseImages,
  STACK_LABELS,
} from '../../../lifecycle/phases/rebase/testing/images.ts'
import type { Image } from '../../../oci/image.ts'
import { parseReport } from '../../../spec/files/report.ts'
import type { Context } from '../context.ts'
import { type Check, platformsBefore, platformsFrom } from '../row.ts'

const METADATA = 'io.buildpacks.lifecycle.metadata'

interface World {
  readonly images: Images
  /** Of the run image that the app names and does not stand on yet. */
  readonly run: string
  readonly app: string
  readonly old: Image
  readonly next: Image
  /** Rebases the app; a code, and what was said. */
  rebase(...args: string[]): ReturnType<Context['rebase']>
}

type AppOptions = NonNullable<Parameters<Images['app']>[2]>
type BaseOptions = NonNullable<Parameters<Images['base']>[1]>

/** A run image that has been replaced by a newer one under its name, and an app on the old one. */
async function world(
  context: Context,
  {
    app: options = {},
    old = {},
    next = {},
  }: { app?: AppOptions; old?: BaseOptions; next?: BaseOptions } = {},
): Promise<World> {
  const images = rebaseImages({ repository: (reference) => context.registry.repository(reference) })
  const run = `${context.images}/base:run`
  const app = `${context.images}/app`
  const platformApi = context.platformApi
  // Of two labels an app of an older Platform API is held to its stack's.
  const labels = { ...BASE_LABELS, ...STACK_LABELS }
  const before = await images.base(run, { labels, ...old })
  const named = {
    runImage: {
      image: run,
      topLayer: before.config.rootfs.diff_ids.at(-1),
      reference: `old@${before.digest}`,
    },
    stack: { runImage: { image: run } },
  }
  await images.app(app, before, { platformApi, ...options, metadata: { ...named, ...options.metadata } })
  const after = await images.base(run, { seed: 2, layers: 3, labels, ...next })
  return { images, run, app, old: before, next: after, rebase: (...args) => context.rebase([...args, app]) }
}

const metadataOf = (image: Image) => JSON.parse(image.config.config?.Labels?.[METADATA] ?? 'null')
const diffIdsOf = (image: Image) => image.config.rootfs.diff_ids

/** cnb-spec §6 */
export const REBASE: readonly Check[] = [
  {
    id: 'RB-1',
    title:
      'one image or more in one registry, else 3; what is rebased is the first of them, under every name',
    async run(context) {
      const { rebase, images, guarded, expect } = context
      const { app, images: all, next } = await world(context)
      for (const args of [[], ['NOT A NAME'], [app, `${guarded.host}/app`]]) {
        expect([args, (await rebase(args)).code]).toEqual([args, 3])
      }
      expect((await rebase([app, `${images}/other:1`])).code).toBe(0)
      const { digest, ...image } = await all.read(app)
      expect((await all.read(`${images}/other:1`)).digest).toBe(digest)
      expect(image.config.rootfs.diff_ids.slice(0, 3)).toEqual(diffIdsOf(next))
    },
  },
  {
    id: 'RB-1',
    title: 'with -previous-image that one is rebased, and stays as it is',
    platformApis: platformsFrom('0.11'),
    async run(context) {
      const { app, images } = await world(context)
      const before = await images.read(app)
      const name = `${context.images}/new`
      context.expect((await context.rebase(['-previous-image', app, name])).code).toBe(0)
      context.expect((await images.read(app)).digest).toBe(before.digest)
      context.expect((await images.read(name)).digest).not.toBe(before.digest)
    },
  },
  {
    id: 'RB-2',
    title:
      'without a run image the metadata names it, or a mirror in the app’s registry; nobody is 72, two names 3',
    async run(context) {
      const { guarded, expect, rebase } = context
      const { images, run, app, next } = await world(context)
      const base = { topLayer: diffIdsOf(next).at(-1), reference: 'x' }
      const far = `${guarded.host}/base:run`
      const mirrored = { image: far, mirrors: [run] }
      await images.app(app, next, {
        metadata: { runImage: { ...base, ...mirrored }, stack: { runImage: mirrored } },
      })
      expect((await rebase([app])).code).toBe(0)
      // As before Platform API 0.12: the name stands under `stack`.
      await images.app(app, next, { metadata: { runImage: base, stack: { runImage: mirrored } } })
      expect((await rebase([app])).code).toBe(0)
      await images.app(app, next, { metadata: { runImage: base, stack: undefined } })
      const nobody = await rebase([app])
      expect(nobody.stdout).toContain('-run-image is required when there is no run image metadata available')
      expect(nobody.code).toBe(72)
      expect((await rebase(['-run-image', run, '-image', run, app])).code).toBe(3)
    },
  },
  {
    id: 'RB-3',
    title:
      'all layers up to the run image’s top layer are exchanged, those above stay; an unknown top layer is 72',
    async run(context) {
      const { images, run, app, old, next, rebase } = await world(context)
      const own = diffIdsOf(await images.read(app)).slice(diffIdsOf(old).length)
      context.expect(own.length).toBeGreaterThan(0)
      context.expect((await rebase()).code).toBe(0)
      context.expect(diffIdsOf(await images.read(app))).toEqual([...diffIdsOf(next), ...own])
      const runImage = { image: run, topLayer: `sha256:${'0'.repeat(64)}`, reference: 'x' }
      await images.app(app, old, { metadata: { runImage, stack: { runImage: { image: run } } } })
      context.expect((await rebase()).code).toBe(72)
    },
  },
  {
    id: 'RB-4',
    title: 'the metadata names the new run image by digest and its top layer, and is the same else',
    async run(context) {
      const { images, app, next, rebase } = await world(context)
      const before = metadataOf(await images.read(app))
      context.expect((await rebase()).code).toBe(0)
      context.expect(metadataOf(await images.read(app))).toEqual({
        ...before,
        runImage: {
          ...before.runImage,
          topLayer: diffIdsOf(next).at(-1),
          reference: `${context.images}/base@${next.digest}`,
        },
      })
    },
  },
  {
    id: 'RB-5',
    title: 'labels of base and stack are the new run image’s, of the stack alone before P 0.12',
    async run(context) {
      const added = { 'io.buildpacks.base.homepage': 'new', 'io.buildpacks.stack.homepage': 'new' }
      const gone = { 'io.buildpacks.base.maintainer': 'old', 'io.buildpacks.stack.maintainer': 'old' }
      const { images, app, rebase } = await world(context, {
        old: { labels: { ...BASE_LABELS, ...STACK_LABELS, ...gone } },
        next: { labels: { ...BASE_LABELS, ...STACK_LABELS, ...added, other: 'new' } },
      })
      context.expect((await rebase()).code).toBe(0)
      const { Labels } = (await images.read(app)).config.config ?? {}
      const isBase = context.isPlatform('0.12')
      context.expect(Labels?.['io.buildpacks.stack.homepage']).toBe('new')
      context.expect(Labels).not.toHaveProperty(['io.buildpacks.stack.maintainer'])
      context.expect(Labels?.['io.buildpacks.base.homepage']).toBe(isBase ? 'new' : undefined)
      context.expect(Labels?.['io.buildpacks.base.maintainer']).toBe(isBase ? undefined : 'old')
      context.expect(Labels).toMatchObject({ mine: 'too', ...BASE_LABELS, ...STACK_LABELS })
      context.expect(Labels).not.toHaveProperty('other')
    },
  },
  {
    id: 'RB-6',
    title: 'an app from before P 0.12 needs its stack with all its mixins, forced or not: else 72',
    async run(context) {
      const { expect, isPlatform } = context
      const stack = (id: string, ...mixins: string[]) => ({
        'io.buildpacks.stack.id': id,
        'io.buildpacks.stack.mixins': JSON.stringify(mixins),
      })
      const code = async (api: string, labels: Record<string, string>, ...args: string[]) => {
        const { rebase } = await world(context, {
          app: { platformApi: api },
          old: { labels: stack('s', 'run:curl', 'git') },
          next: { labels },
        })
        return (await rebase(...args)).code
      }
      expect(await code('', stack('s', 'git', 'curl', 'run:more'))).toBe(0)
      expect(await code('0.11', stack('s', 'git', 'curl'))).toBe(0)
      expect(await code('0.11', stack('s', 'git'))).toBe(72)
      expect(await code('0.11', {})).toBe(72)
      for (const api of ['', '0.11']) expect(await code(api, stack('t', 'git', 'curl'))).toBe(72)
      if (isPlatform('0.12')) expect(await code('0.11', stack('t', 'git', 'curl'), '-force')).toBe(72)
      expect(await code('0.12', stack('t'))).toBe(0)
    },
  },
  {
    id: 'RB-7',
    title: 'an app from P 0.12 on needs its target, or -force, which takes over the new run image’s',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { expect } = context
      const platform = { os: 'linux', architecture: 'riscv64', variant: 'v9' }
      const distro = (name: string, version: string) => ({
        'io.buildpacks.base.distro.name': name,
        'io.buildpacks.base.distro.version': version,
      })
      const nexts: BaseOptions[] = [
        { labels: distro('debian', '12') },
        { labels: distro('ubuntu', '13') },
        { platform },
      ]
      for (const next of nexts) {
        const { images, app, rebase } = await world(context, { next })
        const refused = await rebase()
        expect(refused.stdout).toContain('unable to satisfy target os/arch constraints')
        expect(refused.stdout).toContain('please provide -force to override')
        expect(refused.code).toBe(72)
        const forced = await rebase('-force')
        expect(forced.stdout).toContain('Warning: unable to satisfy target os/arch constraints')
        expect(forced.code).toBe(0)
        const { config } = await images.read(app)
        expect(config).toMatchObject(next.platform ?? {})
        expect(config.config?.Labels).toMatchObject(next.labels ?? {})
      }
    },
  },
  {
    id: 'RB-8',
    title: 'the new run image must be one of the metadata’s names, or -force, which makes it the only one',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { expect } = context
      const { images, app, old, rebase } = await world(context)
      const other = `${context.images}/other:run`
      await images.base(other, { seed: 3, labels: { ...BASE_LABELS, ...STACK_LABELS } })
      const refused = await rebase('-run-image', other)
      expect(refused.stdout).toContain(`new base image '${other}' not found in existing run image metadata`)
      expect(refused.code).toBe(72)
      expect((await rebase('-run-image', `${context.images}/base:other-tag`)).code).not.toBe(0)
      expect((await rebase('-force', '-run-image', other)).code).toBe(0)
      expect(metadataOf(await images.read(app))).toMatchObject({ runImage: { image: other } })
      expect(metadataOf(await images.read(app)).runImage).not.toHaveProperty('mirrors')
      // A mirror is a name too, and a digest does not count.
      const runImage = {
        image: 'r.example/run',
        mirrors: [other],
        topLayer: diffIdsOf(old).at(-1),
        reference: '',
      }
      await images.app(app, old, { metadata: { runImage, stack: undefined } })
      const { digest } = await images.read(other)
      expect((await rebase('-run-image', `${other}@${digest}`)).code).toBe(0)
    },
  },
  {
    id: 'RB-8',
    title: 'before P 0.12 any run image of the stack will do',
    platformApis: platformsBefore('0.12'),
    async run(context) {
      const { images, rebase } = await world(context)
      const other = `${context.images}/other:run`
      await images.base(other, { seed: 3, labels: { ...BASE_LABELS, ...STACK_LABELS } })
      context.expect((await rebase('-run-image', other)).code).toBe(0)
    },
  },
  {
    id: 'RB-9',
    title: 'variables, user, entry point, directory and other labels are the app’s',
    async run(context) {
      const { images, app, rebase } = await world(context)
      const before = (await images.read(app)).config.config
      context.expect((await rebase()).code).toBe(0)
      const after = (await images.read(app)).config.config
      for (const key of ['Env', 'User', 'Entrypoint', 'WorkingDir'] as const) {
        context.expect([key, after?.[key]]).toEqual([key, before?.[key]])
      }
      context.expect(after?.Env?.join()).not.toContain('BASE=')
      context
        .expect(after?.Labels)
        .toMatchObject({ mine: 'too', 'io.buildpacks.build.metadata': '{"kept":true}' })
    },
  },
  {
    id: 'RB-10',
    title: 'the time is constant, also with SOURCE_DATE_EPOCH: the same twice is the same image',
    async run(context) {
      const { images, app, rebase } = await world(context)
      context.expect((await rebase()).code).toBe(0)
      const { digest, config } = await images.read(app)
      context.expect(config.created).toBe('1980-01-01T00:00:01Z')
      context.expect((await context.rebase([app], { SOURCE_DATE_EPOCH: '1000000000' })).code).toBe(0)
      context.expect((await images.read(app)).digest).toBe(digest)
    },
  },
  {
    id: 'RB-11',
    title: 'report.toml has the names, the digest and the manifest’s size',
    async run(context) {
      const { images, app } = await world(context)
      const other = `${context.images}/app:other`
      context.expect((await context.rebase([app, other])).code).toBe(0)
      const image = await images.read(app)
      const report = parseReport(context.place.read('report.toml'), { file: 'report.toml' })
      context.expect(report.image).toEqual({
        tags: [app, other],
        digest: image.digest,
        manifestSize: image.manifestBytes.length,
      })
    },
  },
  {
    id: 'RB-12',
    title:
      'targets are checked before layers, layers before names, and what fails leaves the image as it was',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { expect } = context
      const { images, app, old, rebase } = await world(context)
      const other = `${context.images}/other:run`
      const runImage = { image: 'r.example/run', topLayer: 'sha256:0', reference: '' }
      await images.app(app, old, { metadata: { runImage, stack: undefined } })
      const { digest } = await images.read(app)
      const said = async () => {
        const ended = await rebase('-run-image', other)
        expect(ended.code).toBe(72)
        expect((await images.read(app)).digest).toBe(digest)
        return ended.stdout
      }
      await images.base(other, { seed: 3, labels: { 'io.buildpacks.base.distro.name': 'x' } })
      expect(await said()).toContain('unable to satisfy target os/arch constraints')
      await images.base(other, { seed: 3 })
      expect(await said()).toContain('sha256:0')
    },
  },
  {
    id: 'IX-71',
    title: 'an image that says that it is not rebasable is not, but by force',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { rebase } = await world(context, { app: { labels: { 'io.buildpacks.rebasable': 'false' } } })
      const refused = await rebase()
      context.expect(refused.stdout).toContain('app image is not marked as rebasable')
      context.expect(refused.code).toBe(72)
      context.expect((await rebase('-force')).code).toBe(0)
      const allowed = await world(context, { app: { labels: { 'io.buildpacks.rebasable': 'true' } } })
      context.expect((await allowed.rebase()).code).toBe(0)
    },
  },
]
