import { chmodSync, readdirSync } from 'node:fs'
import { type FakeEngine, fakeEngine } from '../../../oci/daemon/testing/fake-engine.ts'
import { type Digest, digestOf } from '../../../oci/digest.ts'
import type { Context } from '../context.ts'
import { type Check, isAtLeast, platformsFrom } from '../row.ts'
import { prepare } from './exported.ts'

const BASE_LAYERS: readonly Digest[] = [digestOf('lower'), digestOf('upper')]

interface Means {
  readonly engine: FakeEngine
  /** For the phases: where the daemon is, and that it is to be used. */
  readonly env: Readonly<Record<string, string>>
  /** The run image's, as the files between the phases have it. */
  readonly runId: string
}

/** A daemon that has the run image `run`. What real ones make of what they are sent is in test/daemon. */
async function withDaemon(context: Context, check: (means: Means) => Promise<void>): Promise<void> {
  await using engine = await fakeEngine()
  const id = engine.image('run', {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '1980-01-01T00:00:01Z',
    config: { Env: ['PATH=/bin'], Labels: { 'io.buildpacks.stack.id': 'any' } },
    rootfs: { type: 'layers', diff_ids: BASE_LAYERS },
  })
  const { address } = engine
  const host = address.kind === 'socket' ? `unix://${address.path}` : ''
  context.expect(host).not.toBe('')
  const env = { DOCKER_HOST: host, CNB_USE_DAEMON: 'true' }
  await check({ engine, env, runId: id.slice('sha256:'.length) })
}

async function prepareExport(context: Context, runId: string): Promise<void> {
  await prepare(context)
  context.place.write('layers/analyzed.toml', `[run-image]\nreference = "${runId}"\n`)
}

function previousImage(engine: FakeEngine): string {
  const diffIds = [...BASE_LAYERS, digestOf('app')]
  const id = engine.image('app', {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
  })
  return id.slice('sha256:'.length)
}

/** Images in a container daemon: cnb-spec §2.2, §2.7, §2.12, §5.8. */
export const DAEMON: readonly Check[] = [
  {
    id: 'A-1',
    title: 'in a daemon names may be in several registries, and the previous image may be an ID',
    async run(context) {
      const { expect, place } = context
      await withDaemon(context, async ({ engine, env, runId }) => {
        const id = previousImage(engine)
        for (const previous of [id, `sha256:${id}`]) {
          const flags = ['-run-image', 'run', '-previous-image', previous, '-tag', 'other.example/app:2']
          const ended = await context.analyze([...flags, 'registry.example/app'], env)
          expect(`${ended.code} ${ended.code === 0 ? '' : ended.stdout}`).toBe('0 ')
          expect(place.read('layers/analyzed.toml')).toContain(`[image]\n  reference = "${id}"`)
          expect(place.read('layers/analyzed.toml')).toContain(`reference = "${runId}"`)
        }
      })
    },
  },
  {
    id: 'RR-2',
    title: 'with a daemon no registry is asked for access, but for the cache image',
    async run(context) {
      const { expect, guarded } = context
      await withDaemon(context, async ({ env }) => {
        const image = `${guarded.host}/app`
        const ended = await context.analyze(['-run-image', 'run', image], env)
        expect(`${ended.code} ${ended.code === 0 ? '' : ended.stdout}`).toBe('0 ')
        const cache = ['-cache-image', `${guarded.host}/cache`]
        const refused = await context.analyze([...cache, '-run-image', 'run', image], env)
        expect(refused.stdout).toContain(`ensure registry read/write access to ${guarded.host}/cache`)
        expect(refused.code).toBe(32)
      })
    },
  },
  {
    id: 'SV-3',
    title: 'an image for a daemon goes without the layers of its base, and is known by its ID',
    async run(context) {
      const { expect, place } = context
      await withDaemon(context, async ({ engine, env, runId }) => {
        await prepareExport(context, runId)
        const report = ['-report', place.path('layers/report.toml')]
        const names = ['registry.example/app', 'other.example/app:2']
        const ended = await context.export([...report, ...names], env)
        expect(`${ended.code} ${ended.code === 0 ? '' : ended.stdout}`).toBe('0 ')
        const sizes = [...(engine.archives[0] ?? [])].filter(([name]) => name.endsWith('.tar'))
        expect(sizes.map(([, size]) => size > 0).slice(0, 3)).toEqual([false, false, true])
        const id = digestOf(engine.text([...(engine.archives[0]?.keys() ?? [])].find(isConfig) ?? ''))
        const hex = id.slice('sha256:'.length)
        expect(place.read('layers/report.toml')).toContain(`image-id = "${hex}"`)
        expect(place.read('layers/report.toml')).not.toContain('digest')
        expect(ended.stdout).toContain(`*** Images (${hex.slice(0, 12)}):\n`)
        expect(engine.requests).toContain(`POST /images/${id}/tag?repo=other.example%2Fapp&tag=2`)
      })
    },
  },
  {
    id: 'SV-3',
    title: 'what a daemon does not take without all layers it is sent with all of them',
    async run(context) {
      const { expect } = context
      await withDaemon(context, async ({ engine, env, runId }) => {
        await prepareExport(context, runId)
        engine.refusals.push('stream')
        const ended = await context.export(['app'], env)
        // This daemon cannot give back layers that it was only told of.
        expect(ended.code).toBe(62)
        expect(engine.requests.some((request) => request.startsWith('GET /images/get?names='))).toBe(true)
      })
    },
  },
  {
    id: 'SV-3',
    title: 'a launch cache keeps the tars of the app’s layers by diffID',
    platformApis: platformsFrom('0.9'),
    async run(context) {
      const { expect, place } = context
      await withDaemon(context, async ({ engine, env, runId }) => {
        await prepareExport(context, runId)
        place.write('launch/.keep', '')
        chmodSync(place.path('launch'), 0o777)
        const ended = await context.export(['-launch-cache', place.path('launch'), 'app'], env)
        expect(`${ended.code} ${ended.code === 0 ? '' : ended.stdout}`).toBe('0 ')
        const config = JSON.parse(engine.text([...(engine.archives[0]?.keys() ?? [])].find(isConfig) ?? ''))
        const own = config.rootfs.diff_ids.slice(BASE_LAYERS.length)
        const kept = readdirSync(place.path('launch/committed')).sort()
        expect(kept).toEqual([...new Set(own)].map((diffId) => `${diffId}.tar`).sort())
      })
    },
  },
  {
    id: 'SV-3',
    title: 'a daemon that is not there is said before anything is done',
    async run(context) {
      const { expect } = context
      context.group('a/b')
      const env = { DOCKER_HOST: `unix://${context.place.path('no.sock')}`, CNB_USE_DAEMON: 'true' }
      const commands = [
        context.analyze(['-run-image', 'run', 'app'], env),
        context.create(['-run-image', 'run', 'app'], env),
        ...(isAtLeast(context.platformApi, '0.12') ? [context.restore([], env)] : []),
      ]
      for (const ended of await Promise.all(commands)) {
        expect(ended.stdout).toContain(
          'ERROR: failed to initialize docker client: there is no container daemon',
        )
        expect(ended.code).toBe(1)
      }
    },
  },
]

function isConfig(name: string): boolean {
  return name.endsWith('.json') && name !== 'manifest.json'
}
