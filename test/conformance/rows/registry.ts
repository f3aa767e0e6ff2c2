import { existsSync, mkdirSync } from 'node:fs'
import { makeCertificates } from '../../../oci/registry/testing/docker-registry.ts'
import { startTestRegistry } from '../../../oci/registry/testing/server.ts'
import type { Context } from '../context.ts'
import { BUILDPACK_APIS, type Check, PASSWORD, platformsBefore, platformsFrom, USER } from '../row.ts'
import { layer, prepare } from './exported.ts'

const basic = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
const auth = ({ guarded }: Context) => ({ CNB_REGISTRY_AUTH: JSON.stringify({ [guarded.host]: basic }) })

/** cnb-spec §2.2, §2.7, §2.8, §2.12, §2.13 */
export const REGISTRY: readonly Check[] = [
  {
    id: 'A-1',
    title: 'analyzer: one image, a valid reference, all tags in one registry; else 3',
    async run({ analyze, images, guarded, expect }) {
      const elsewhere = await analyze(['-tag', `${guarded.host}/app`, `${images}/app`])
      expect([elsewhere.code, elsewhere.stdout]).toEqual([
        3,
        expect.stringContaining('writing to multiple registries is unsupported'),
      ])
      for (const args of [[], ['a', 'b'], ['not a reference']]) {
        expect([args, (await analyze(args)).code]).toEqual([args, 3])
      }
      const none = await analyze([])
      expect(none.stdout).toContain('failed to parse arguments: received 0 arguments, but expected 1')
    },
  },
  {
    id: 'A-2',
    title: 'previous and output images need not exist',
    async run({ analyze, runImage, images, place, expect }) {
      const ended = await analyze([
        '-run-image',
        await runImage(),
        '-previous-image',
        `${images}/gone`,
        `${images}/app`,
      ])
      expect(ended.code).toBe(0)
      expect(place.read('layers/analyzed.toml')).not.toContain('gone')
    },
  },
  {
    id: 'A-3',
    title: 'output image and tags must be writable, previous and run image readable: else 32',
    async run({ analyze, runImage, guarded, images, expect }) {
      const run = await runImage()
      const denied = `${guarded.host}/app`
      const output = await analyze(['-run-image', run, denied])
      expect(output.stdout).toContain(`ensure registry read/write access to ${denied}`)
      expect(output.code).toBe(32)
      const previous = await analyze(['-run-image', run, '-previous-image', denied, `${images}/app`])
      expect(previous.code).toBe(32)
      const base = await analyze(['-run-image', denied, `${images}/app`])
      expect(base.code).not.toBe(0)
    },
  },
  {
    id: 'A-4',
    title: 'the run image is the first of run.toml, from P 0.12 on; of stack.toml before; none is 3',
    async run({ analyze, runImage, images, place, expect, isPlatform }) {
      const run = await runImage()
      place.write('run.toml', `[[images]]\nimage = "${run}"\n[[images]]\nimage = "${images}/other"\n`)
      place.write('stack.toml', `[run-image]\nimage = "${run}"\n`)
      const flags = isPlatform('0.12')
        ? ['-run', place.path('run.toml')]
        : ['-stack', place.path('stack.toml')]
      expect((await analyze([...flags, `${images}/app`])).code).toBe(0)
      expect(place.read('layers/analyzed.toml')).toContain(`${images}/run@sha256:`)
      expect((await analyze([`${images}/app`])).code).toBe(3)
    },
  },
  {
    id: 'A-5',
    title:
      'analyzed.toml: references by digest, the previous image’s metadata, name and target from P 0.12 on',
    async run(context) {
      const { analyze, place, images, expect, isPlatform } = context
      await prepare(context)
      layer(context, 'l', 'launch = true')
      expect((await context.export([`${images}/app`])).code).toBe(0)
      const { digest } = await context.image('app')
      const run = await context.runImage()
      expect((await analyze(['-run-image', run, `${images}/app`])).code).toBe(0)
      const analyzed = place.read('layers/analyzed.toml')
      expect(analyzed).toContain(`reference = "${images}/app@${digest}"`)
      expect(analyzed).toMatch(new RegExp(`reference = "${images}/run@sha256:`))
      expect(analyzed).toContain('key = "a/b"')
      expect(analyzed.includes(`image = "${run}"`)).toBe(isPlatform('0.12'))
      expect(analyzed.includes('[run-image.target]')).toBe(isPlatform('0.12'))
    },
  },
  {
    id: 'A-9',
    title: 'the analyzer restores nothing into the layers',
    async run(context) {
      const { analyze, place, images, expect } = context
      await prepare(context)
      layer(context, 'l', 'launch = true')
      expect((await context.export([`${images}/app`])).code).toBe(0)
      const empty = place.path('empty')
      place.write('empty/.keep', '')
      const layers = ['-layers', empty, '-analyzed', place.path('layers/analyzed.toml')]
      const ended = await analyze([...layers, '-run-image', await context.runImage(), `${images}/app`])
      expect(ended.code).toBe(0)
      expect(existsSync(`${empty}/a_b`)).toBe(false)
    },
  },
  {
    id: 'E-1',
    title: 'exporter: at least one image, all of one registry: else 3',
    async run(context) {
      const { images, guarded, expect } = context
      await prepare(context)
      const none = await context.export([])
      expect(none.stdout).toContain('failed to parse arguments: at least one image argument is required')
      expect(none.code).toBe(3)
      const elsewhere = await context.export([`${images}/app`, `${guarded.host}/app`])
      expect([elsewhere.code, elsewhere.stdout]).toEqual([
        3,
        expect.stringContaining('writing to multiple registries is unsupported'),
      ])
      expect((await context.export([`${images}/a b`])).code).toBe(3)
    },
  },
  {
    id: 'E-2',
    title: 'the run image is that of analyzed.toml: flags for it are refused, and its absence is 3',
    async run(context) {
      const { images, expect } = context
      await prepare(context)
      for (const flag of ['-run-image', '-image']) {
        const ended = await context.export([flag, 'r', `${images}/app`])
        expect(ended.stdout).toContain(`${flag} is unsupported`)
        expect(ended.code).toBe(3)
      }
      context.place.write('layers/analyzed.toml', '')
      expect((await context.export([`${images}/app`])).code).toBe(3)
    },
  },
  {
    id: 'CR-1',
    title: 'creator is the five phases one after the other',
    buildpackApis: BUILDPACK_APIS,
    async run(context) {
      const { buildpack, order, create, images, place, expect } = context
      buildpack('a/b', {
        detect: 'exit 0',
        build: 'mkdir "$1/l"; printf "[types]\\nlaunch = true\\n" >"$1/l.toml"',
      })
      order(['a/b'])
      const ended = await create([
        '-run-image',
        await context.runImage(),
        '-tag',
        `${images}/app:extra`,
        `${images}/app`,
      ])
      expect([...ended.stdout.matchAll(/^===> (.*)$/gm)].map(([, name]) => name)).toEqual([
        'ANALYZING',
        'DETECTING',
        'RESTORING',
        'BUILDING',
        'EXPORTING',
      ])
      expect(ended.code).toBe(0)
      for (const file of ['analyzed', 'group', 'plan', 'config/metadata', 'report']) {
        expect([file, existsSync(place.path('layers', `${file}.toml`))]).toEqual([file, true])
      }
    },
  },
  {
    id: 'CR-3',
    title: '-tag names more images of the same digest',
    async run(context) {
      const { buildpack, order, create, images, expect, place } = context
      buildpack('a/b', { detect: 'exit 0', build: 'exit 0' })
      order(['a/b'])
      const tags = ['-tag', `${images}/app:one`, '-tag', `${images}/app:two`]
      expect((await create(['-run-image', await context.runImage(), ...tags, `${images}/app`])).code).toBe(0)
      const { digest } = await context.image('app')
      expect((await context.image('app:one')).digest).toBe(digest)
      expect((await context.image('app:two')).digest).toBe(digest)
      expect(place.read('layers/report.toml')).toContain(`digest = "${digest}"`)
    },
  },
  {
    id: 'CR-5',
    title: 'creator ends with the code of the phase that failed, and needs one image',
    async run(context) {
      const { buildpack, order, create, images, guarded, expect } = context
      order(['a/b'])
      const run = await context.runImage()
      const code = async (
        parts: { detect: string; build: string },
        image = `${images}/app`,
        more: string[] = [],
      ) => {
        buildpack('a/b', { ...parts, build: `rm -f "$1/launch.toml"\n${parts.build}` })
        return (await create(['-run-image', run, ...more, image])).code
      }
      expect(await code({ detect: 'exit 100', build: '' })).toBe(20)
      expect(await code({ detect: 'exit 1', build: '' })).toBe(21)
      expect(await code({ detect: 'exit 0', build: 'exit 1' })).toBe(51)
      expect(await code({ detect: 'exit 0', build: 'echo = >"$1/launch.toml"' })).toBe(52)
      expect(await code({ detect: 'exit 0', build: '' }, undefined, ['-process-type', 'no'])).toBe(62)
      expect(await code({ detect: 'exit 0', build: '' }, `${guarded.host}/app`)).toBe(32)
      expect((await create([])).stdout).toContain('received 0 arguments, but expected 1')
      expect((await create([])).code).toBe(3)
    },
  },
  {
    id: 'RR-1',
    title:
      'the run image is the name in the registry of the app that can be read, else the first that can, else 3',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { analyze, images, guarded, place, expect } = context
      const run = await context.runImage()
      const analyzed = async (image: string, ...mirrors: string[]) => {
        place.write('run.toml', `[[images]]\nimage = "${image}"\nmirrors = ${JSON.stringify(mirrors)}\n`)
        const { code } = await analyze(['-run', place.path('run.toml'), `${images}/app`])
        return code === 0 ? place.read('layers/analyzed.toml') : code
      }
      expect(await analyzed(`${guarded.host}/run:base`, run)).toContain(`${images}/run@sha256`)
      expect(await analyzed(run, `${guarded.host}/run:base`)).toContain(`${images}/run@sha256`)
      expect(await analyzed(`${guarded.host}/run:base`)).toBe(3)
    },
  },
  {
    id: 'RR-4',
    title: 'before P 0.12 the mirrors of stack.toml are chosen from in the same way',
    platformApis: platformsBefore('0.12'),
    async run(context) {
      const { analyze, images, guarded, place, expect } = context
      const run = await context.runImage()
      place.write('stack.toml', `[run-image]\nimage = "${guarded.host}/run:base"\nmirrors = ["${run}"]\n`)
      expect((await analyze(['-stack', place.path('stack.toml'), `${images}/app`])).code).toBe(0)
      expect(place.read('layers/analyzed.toml')).toContain(`${images}/run@sha256`)
    },
  },
  {
    id: 'AU-1',
    title: 'CNB_REGISTRY_AUTH gives the header for a registry; what is no such JSON is an error',
    async run(context) {
      const { analyze, guarded, expect } = context
      const image = `${guarded.host}/app-${context.images.split('/').at(-1)}`
      const run = await context.runImage()
      expect((await analyze(['-run-image', run, image], auth(context))).code).toBe(0)
      expect((await analyze(['-run-image', run, image])).code).toBe(32)
      const broken = await analyze(['-run-image', run, image], { CNB_REGISTRY_AUTH: 'x' })
      expect(broken.code).toBe(1)
    },
  },
  {
    id: 'AU-2',
    title: 'docker’s config.json is asked for what CNB_REGISTRY_AUTH does not name',
    async run(context) {
      const { analyze, guarded, place, expect } = context
      place.write(
        'docker/config.json',
        JSON.stringify({ auths: { [guarded.host]: { auth: basic.slice(6) } } }),
      )
      const env = { DOCKER_CONFIG: place.path('docker'), CNB_REGISTRY_AUTH: '{"r.example":"Basic eDp5"}' }
      const image = `${guarded.host}/docker-${context.images.split('/').at(-1)}`
      expect((await analyze(['-run-image', await context.runImage(), image], env)).code).toBe(0)
    },
  },
  {
    id: 'AU-3',
    title: 'without credentials a registry is used as anybody',
    async run({ analyze, runImage, images, expect }) {
      const ended = await analyze(['-run-image', await runImage(), `${images}/app`], { HOME: '/nowhere' })
      expect(ended.code).toBe(0)
    },
  },
  {
    id: 'AU-5',
    title:
      'of an insecure registry no certificate is asked for; the flag from P 0.13 on, the variable always',
    async run(context) {
      const { analyze, expect, place, isPlatform } = context
      mkdirSync(place.path('tls'))
      await makeCertificates(place.path('tls'))
      await using server = await startTestRegistry({
        tls: { cert: place.read('tls/server.pem'), key: place.read('tls/server.key') },
      })
      const args = ['-run-image', await context.runImage(), `${server.host}/team/app`]
      expect((await analyze(args)).code).toBe(32)
      expect((await analyze(args, { CNB_INSECURE_REGISTRIES: `r.example,${server.host}` })).code).toBe(0)
      const flag = ['-insecure-registry', 'r.example', '-insecure-registry', server.host]
      expect((await analyze([...flag, ...args])).code).toBe(isPlatform('0.13') ? 0 : 2)
    },
  },
]
