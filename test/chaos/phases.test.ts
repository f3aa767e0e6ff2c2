/** Each phase is killed in each of its steps; nothing is corrupt then, and the next run is right. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import { type TestLifecycle, testLifecycle } from '../../lifecycle/commands/testing/lifecycle.ts'
import { STEPS } from '../../lifecycle/phases/steps.ts'
import type { Image } from '../../oci/image.ts'
import { createRegistry, type Registry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { randomNumbers } from '../../oci/testing/index.ts'
import { endAllOf } from './end-all.ts'
import { killing, killPoints, openSteps, recording, removeTemporary } from './kill-points.ts'
import { HITS, IS_LONG, SEED, TRIES } from './settings.ts'
import { tally } from './tally.ts'
import { BUILD, type Kind, openWorld, type PhaseName, VERSIONS, type Version, type World } from './world.ts'

let lifecycle: TestLifecycle
let server: TestRegistry
let http: HttpClient
let registry: Registry
const hits = tally()
beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = await startTestRegistry()
  http = createHttpClient({})
  registry = createRegistry({ http, credentials: async () => undefined })
})
afterAll(async () => {
  console.log([`CHAOS_SEED=${SEED} CHAOS_HITS=${HITS}`, ...hits.lines()].join('\n'))
  await http.close()
  await server.close()
  lifecycle[Symbol.dispose]()
})

/** What runs after a kill. */
type Next =
  /** The phase again and those behind it, over what is there. */
  | 'retry'
  /** A whole build over the layers that are there. */
  | 'build again'
  /** A whole build over empty layers. */
  | 'build anew'
const NEXT: readonly Next[] = ['retry', 'build again', 'build anew']

const cases: readonly (readonly [PhaseName, Kind])[] = [
  ...(['analyze', 'detect', 'restore', 'build', 'export', 'rebase'] as const).map(
    (phase) => [phase, 'registry'] as const,
  ),
  ...(IS_LONG
    ? ([
        ['export', 'layout'],
        ['export', 'cache image'],
        ['restore', 'cache image'],
        ['analyze', 'layout'],
      ] as const)
    : []),
]

describe.concurrent('killed', () => {
  test.for(cases)('in every step of %s (%s)', { timeout: 3_600_000 }, async ([phase, kind]) => {
    const random = randomNumbers(SEED + cases.findIndex(([p, k]) => p === phase && k === kind))
    const one = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const world = await openWorld(kind, { lifecycle, registry, host: server.host })
    const before = phase === 'rebase' ? [] : BUILD.slice(0, BUILD.indexOf(phase))
    const { images, known } = await undisturbed(world, phase)

    const digests = [...images.values()].map(({ digest }) => digest)
    let version: Version = 'one'
    /** A build of another version than the last, up to the phase. */
    const prepare = async () => {
      version = version === 'one' ? 'two' : 'one'
      if (phase !== 'rebase') world.emptyLayers()
      for (const earlier of before) succeeded(await world.run(earlier, version))
    }
    const record = join(world.place.directory, 'record')
    await prepare()
    succeeded(await world.run(phase, version, { under: recording(record) }))
    const points = killPoints(record)
    await finish(world, 'retry', phase, version)

    const where = kind === 'registry' ? 'registry' : kind
    for (const step of STEPS[phase].map((name) => `${phase}: ${name}`)) {
      const own = points.filter(({ steps }) => steps.includes(step))
      expect(own, `${step} was seen in the record`).not.toEqual([])
      for (let tries = 0; hits.count(where, step) < HITS; tries++) {
        expect(tries, `tries to hit ${step}`).toBeLessThan(TRIES * HITS)
        await prepare()
        const point = one(own)
        const killed = await world.run(phase, version, { under: killing(point, record) })
        await endAllOf(`${world.place.directory}/`)
        removeTemporary(record)
        const steps = openSteps(killed.stdout)
        const next = one(NEXT)
        const story = `${step}, killed at ${point.call} ${point.ordinal} (${steps.join(', ')}), then ${next}`
        if (killed.code === null) hits.hit(where, steps)
        else succeeded(killed)
        expect(world.damage(known), story).toEqual([])
        const { digest } = await world.validImage()
        expect(digests, story).toContain(digest)
        await finish(world, next, phase, version, story)
        const image = await world.validImage()
        expect(image.config, story).toEqual(images.get(version)?.config)
        expect(image.digest, story).toBe(images.get(version)?.digest)
        expect(world.damage(known), story).toEqual([])
      }
      // The whole takes long: what was reached stands in the output also where it is ended.
      if (IS_LONG) console.log(`${where}: ${step}: ${hits.count(where, step)} hits`)
    }
  })
})

/** The image of each version, and every file that a phase may leave, from runs that nobody disturbs. */
async function undisturbed(world: World, phase: PhaseName) {
  const images = new Map<Version, Image>()
  const known = new Set<string>()
  succeeded(await world.create('one'))
  // In every order that a version may follow the other, for analyzed.toml tells of the image before.
  for (const version of ['one', 'two', 'two', 'one', 'one'] as const) {
    if (phase === 'rebase') succeeded(await world.run('rebase', version))
    else {
      world.emptyLayers()
      succeeded(await world.create(version))
    }
    for (const text of world.files()) known.add(text)
    images.set(version, await world.validImage())
  }
  expect(new Set([...images.values()].map(({ digest }) => digest)).size).toBe(VERSIONS.length)
  return { images, known }
}

async function finish(
  world: World,
  next: Next,
  phase: PhaseName,
  version: Version,
  story = '',
): Promise<void> {
  if (phase === 'rebase') {
    const ended = await world.run('rebase', version)
    return succeeded(ended, story)
  }
  if (next === 'retry') {
    for (const each of BUILD.slice(BUILD.indexOf(phase))) succeeded(await world.run(each, version), story)
    return
  }
  if (next === 'build anew') world.emptyLayers()
  succeeded(await world.create(version), story)
}

/** A run is right when it says so and has nothing to complain of. */
function succeeded(
  { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string },
  story = '',
): void {
  expect({ code, stderr }, `${story}\n${stdout}`).toEqual({ code: 0, stderr: '' })
  const complaints = stdout
    .split('\n')
    .filter((line) =>
      /"type":"(?:warning|cache-failed|layer-restore-skipped|previous-image-corrupt)"/.test(line),
    )
    // The lifecycle's own SBOM stands beside it where it is packaged.
    .filter((line) => !line.includes('in /cnb/lifecycle'))
  expect(complaints, story).toEqual([])
}
