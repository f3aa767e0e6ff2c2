import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { hostPlatform } from '../../oci/platform.ts'
import { parseReference } from '../../oci/reference.ts'
import { randomImage, validateImage } from '../../oci/testing/index.ts'
import { findImage } from '../images/find.ts'
import { layoutImages } from '../images/layout.ts'
import {
  ORDINARY_USER,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
})
afterAll(() => lifecycle[Symbol.dispose]())

const RUN = 'registry.example/run:base'
const { architecture } = hostPlatform()
const launcher = fileURLToPath(new URL(`../../native/built/${architecture}/launcher`, import.meta.url))
beforeEach(async () => {
  place = testPlace(lifecycle)
  mkdirSync(place.path('images'))
  chmodSync(place.path('images'), 0o777)
  place.buildpack('a/b', {
    detect: 'exit 0',
    build: 'mkdir -p "$1/deps"; echo x >"$1/deps/x"; printf "[types]\\nlaunch = true\\n" >"$1/deps.toml"',
  })
  place.order(['a/b'])
  place.write('app/server.js', 'listen()\n')
  copyFileSync(launcher, place.path('launcher'))
  const { repository } = layoutImages(place.path('images'))
  await randomImage({ repository: repository(parseReference(RUN)), platform: hostPlatform(), tags: ['base'] })
})

const WARN = { CNB_EXPERIMENTAL_MODE: 'warn' }
const layout = () => ['-layout', '-layout-dir', place.path('images')]
const common = () => ['-layers', place.path('layers')]
const exporting = () => ['-app', place.path('app'), '-launcher', place.path('launcher')]
const WARNING = "Warning: Platform requested experimental feature 'export to OCI layout format'\n"

test('the creator writes the image to its place, and the phases one by one write the same', async () => {
  const flags = [...layout(), ...common(), ...exporting(), ...place.detectFlags, '-run-image', RUN]
  const ids = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
  const created = await lifecycle.run('creator', [...flags, ...ids, '-tag', 'app:two', 'app'], { env: WARN })
  expect(created.stdout).toContain(WARNING)
  const path = place.path('images/index.docker.io/library/app/latest')
  expect(created.stdout).toContain(`Saving ${path}...\n`)
  expect(created.code).toBe(0)
  expect(place.read('layers/report.toml')).toContain(`"${path}"`)
  expect(place.read('layers/analyzed.toml')).toContain(
    `reference = "${place.path('images/registry.example/run/base')}@sha256:`,
  )
  const images = layoutImages(place.path('images'))
  const app = await findImage(images, 'app')
  if (app === undefined) throw new Error('no app')
  await validateImage(app.image)
  expect((await findImage(images, 'app:two'))?.image.digest).toBe(app.image.digest)

  const phases: [string, string[]][] = [
    ['analyzer', [...layout(), ...common(), ...ids, '-run-image', RUN, 'app']],
    ['detector', [...place.detectFlags]],
    ['restorer', [...layout(), ...common(), ...ids]],
    ['builder', [...place.buildFlags]],
    ['exporter', [...layout(), ...common(), ...ids, ...exporting(), 'app']],
  ]
  for (const [phase, args] of phases) {
    const ended = await lifecycle.run(phase, args, { env: WARN })
    expect(`${phase} ${ended.code}`).toBe(`${phase} 0`)
    if (phase === 'exporter') expect(ended.stdout).toContain("Reusing layer 'a/b:deps'\n")
  }
  expect((await findImage(images, 'app'))?.image.digest).toBe(app.image.digest)
})

test.each([
  ['analyzer', ['app']],
  ['restorer', []],
  ['exporter', ['app']],
  ['creator', ['app']],
])('%s guards it as experimental, and wants a directory', async (command, args) => {
  for (const env of [{}, { CNB_EXPERIMENTAL_MODE: 'error' }]) {
    const off = await lifecycle.run(command, [...layout(), ...common(), ...args], { env })
    expect(off.stdout).toContain('experimental features are disabled by CNB_EXPERIMENTAL_MODE=error')
    expect(off.code).toBe(1)
  }
  const nowhere = await lifecycle.run(command, ['-layout', ...common(), ...args], {
    env: { CNB_EXPERIMENTAL_MODE: 'silent' },
  })
  expect(nowhere.stdout).toContain('ERROR: failed to resolve inputs: defining a layout directory is required')
  expect(nowhere.stdout).not.toContain('experimental')
  expect(nowhere.code).toBe(3)
  const older = await lifecycle.run(command, ['-layout'], { env: { CNB_PLATFORM_API: '0.11', ...WARN } })
  expect(older.code).toBe(2)
  expect(existsSync(join(place.path('images'), 'index.docker.io'))).toBe(false)
})

test('the analyzer needs to read the directory only: the exporter writes it', async () => {
  chmodSync(place.path('images'), 0o555)
  const args = [...layout(), ...common(), '-run-image', RUN, 'app']
  expect(await lifecycle.run('analyzer', args, { env: WARN })).toMatchObject({ code: 0 })
  expect(place.read('layers/analyzed.toml')).toContain('images/registry.example/run/base@sha256:')
})
