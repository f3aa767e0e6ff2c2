/** `slipway build` is killed in its steps; the store and the cache are whole then, and the next build is right. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STEPS } from '../../lifecycle/phases/steps.ts'
import { digestOf } from '../../oci/digest.ts'
import type { Image } from '../../oci/image.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { readImage } from '../../oci/read-image.ts'
import { randomNumbers, validateImage } from '../../oci/testing/index.ts'
import { freshInstallation, type Installation, own, run, self } from '../support/clone.ts'
import { endAllOf } from './end-all.ts'
import { killing, killPoints, openSteps, recording } from './kill-points.ts'
import { HITS, IS_LONG, SEED, TRIES } from './settings.ts'
import { tally } from './tally.ts'
import { VERSIONS, type Version } from './world.ts'

let here: Installation
let app: string
const hits = tally()
beforeAll(() => {
  here = freshInstallation(self())
  app = join(here.home, 'app')
  mkdirSync(app)
})
afterAll(() => {
  console.log([`CHAOS_SEED=${SEED} CHAOS_HITS=${HITS}`, ...hits.lines()].join('\n'))
  here?.[Symbol.dispose]()
})

const PLATFORM = STEPS.platform.map((step) => `platform: ${step}`)
/** What touches the store, the cache and the layers that are kept between builds. */
const PHASES = [
  ...['restore: restore layers', 'build: run bin/build'],
  ...['export: make layers', 'export: save image', 'export: write cache'],
]
const steps = [...PLATFORM, ...PHASES]

async function build(version: Version, under: readonly string[] = []) {
  const scripts = { build: `echo ${version} >built`, start: 'node server.js' }
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', scripts }))
  writeFileSync(join(app, 'package-lock.json'), '{"lockfileVersion":3,"packages":{"":{}}}')
  writeFileSync(join(app, 'server.js'), `console.log('${version}')`)
  own(app, here.user)
  const command = ['./slipway', 'build', 'app', '--path', app, '--log-format', 'json'] as const
  const [program, ...args] = [...under, ...command]
  return run(here, [program, ...args])
}

async function built(version: Version): Promise<Image> {
  const { code, stdout, stderr } = await build(version)
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  const warnings = stdout.split('\n').filter((line) => /"type":"(?:warning|cache-failed)"/.test(line))
  expect(warnings).toEqual([])
  return stored()
}

const store = () => join(here.home, 'slipway', 'data', 'store')

async function stored(): Promise<Image> {
  const image = await readImage(openLayout(store()).repository('index.docker.io/library/app'), 'latest')
  if (image === undefined) throw new Error('there is no image')
  await validateImage(image)
  return image
}

/** Blobs written since a time whose contents are not what their name says. */
function brokenBlobs(since: number): string[] {
  const folder = join(store(), 'blobs', 'sha256')
  return readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).ctimeMs >= since)
    .filter((name) => digestOf(readFileSync(join(folder, name))) !== `sha256:${name}`)
}

const killedBuild = 'a build that is killed leaves a store that is whole, and the next one is right'
test.skipIf(!IS_LONG)(`${killedBuild} (npm run test:chaos: minutes)`, { timeout: 3_600_000 }, async () => {
  expect((await build('one')).code).toBe(0)
  const random = randomNumbers(SEED)
  const images = new Map<Version, Image>()
  for (const version of [...VERSIONS, ...VERSIONS]) images.set(version, await built(version))
  const digests = VERSIONS.map((version) => images.get(version)?.digest)
  expect(new Set(digests).size).toBe(VERSIONS.length)

  const record = join(here.home, 'record')
  let version: Version = 'one'
  expect((await build(version, recording(record))).code).toBe(0)
  const points = killPoints(record)
  for (const step of steps) {
    const own = points.filter((point) => point.steps.includes(step))
    expect(own, `${step} was seen in the record`).not.toEqual([])
    for (let tries = 0; hits.count('slipway build', step) < HITS; tries++) {
      expect(tries, `tries to hit ${step}`).toBeLessThan(TRIES * HITS)
      version = version === 'one' ? 'two' : 'one'
      const point = own[Math.floor(random() * own.length)]
      if (point === undefined) throw new Error(`${step} has no place`)
      const start = Date.now()
      const killed = await build(version, killing(point, record))
      await endAllOf(`${here.home}/`)
      const story = `${step}, killed at ${point.call} ${point.ordinal}`
      if (killed.code === null) hits.hit('slipway build', openSteps(killed.stdout))
      expect(brokenBlobs(start), story).toEqual([])
      expect(digests, story).toContain((await stored()).digest)
      expect((await built(version)).config, story).toEqual(images.get(version)?.config)
      expect((await stored()).digest, story).toBe(images.get(version)?.digest)
    }
  }
})
