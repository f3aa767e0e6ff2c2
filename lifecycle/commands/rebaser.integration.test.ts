import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import { createRegistry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { validateImage } from '../../oci/testing/index.ts'
import { parseReport } from '../../spec/files/report.ts'
import { type Images, rebaseImages } from '../phases/rebase/testing/images.ts'
import {
  type RunOptions,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
let server: TestRegistry
let http: HttpClient
let images: Images
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = await startTestRegistry()
  http = createHttpClient({})

  images = rebaseImages({
    repository: (reference) =>
      createRegistry({ http, credentials: async () => undefined }).repository(reference),
  })
})
afterAll(async () => {
  await http.close()
  await server.close()
  lifecycle[Symbol.dispose]()
})

const run = () => `${server.host}/base:run`
const app = () => `${server.host}/team/app`
beforeEach(async () => {
  place = testPlace(lifecycle)
  const old = await images.base(run())
  const runImage = { image: run(), topLayer: old.config.rootfs.diff_ids.at(-1), reference: '' }
  await images.app(app(), old, { metadata: { runImage } })
  await images.base(run(), { seed: 2, layers: 3 })
  server.resetCounters()
})

function rebase(args: readonly string[], options: RunOptions = {}) {
  return lifecycle.run('rebaser', ['-report', place.path('report.toml'), ...args], options)
}

test('rebases in the registry: no layer goes over the wire, those of the run image are mounted', async () => {
  const ended = await rebase([app()])
  expect(ended.stdout).toContain(`Saving ${app()}...\n*** Images (sha256:`)
  expect(ended.stdout).toContain(`      ${app()}\n`)
  expect(ended.code).toBe(0)

  const { log, requests } = server
  const configs = log.filter(({ kind }) => kind === 'blob-get').length
  expect(configs).toBe(2) // the configurations of app and run image
  expect(requests.get('manifest-get')).toBe(2)
  expect(requests.get('mount')).toBe(3)
  expect(requests.get('upload-put') ?? 0).toBe(1) // the new configuration
  expect(requests.get('upload-patch') ?? 0).toBe(0)
  expect(requests.get('manifest-put')).toBe(1)

  const image = await images.read(app())
  await validateImage(image)
  expect(parseReport(place.read('report.toml'), { file: 'report.toml' }).image).toEqual({
    tags: [app()],
    digest: image.digest,
    manifestSize: image.manifestBytes.length,
  })
})

test('by its other names and from the environment', async () => {
  const ended = await lifecycle.run('lifecycle', ['rebase', `${server.host}/new:1`], {
    env: {
      CNB_PREVIOUS_IMAGE: app(),
      CNB_RUN_IMAGE: run(),
      CNB_REPORT_PATH: place.path('r.toml'),
      CNB_PLATFORM_API: '0.11',
    },
  })
  expect(ended.code).toBe(0)
  await validateImage(await images.read(`${server.host}/new:1`))
  expect(place.read('r.toml')).toContain('/new:1')
})

test('force, by flag or environment', async () => {
  const other = `${server.host}/other:run`
  await images.base(other, { seed: 3 })
  const refused = await rebase(['-run-image', other, app()])
  expect(refused.stdout).toContain(
    `ERROR: failed to rebase: rebase app image: new base image '${other}' not found in existing run image metadata: {`,
  )
  expect(refused.stdout).toContain('}; please provide -force to override\n')
  expect(refused.code).toBe(72)
  expect((await rebase(['-run-image', other, app()], { env: { CNB_FORCE_REBASE: 'true' } })).code).toBe(0)
  expect((await rebase(['-force', '-run-image', other, app()])).code).toBe(0)
})

test.each<[string[], Record<string, string>, number, string]>([
  [[], {}, 3, 'at least one image argument is required'],
  [['NOT A NAME'], {}, 3, 'failed to resolve inputs: '],
  [['a/b', 'other.example/app'], {}, 3, 'writing to multiple registries is unsupported'],
  [['-run-image', 'a', '-image', 'b', 'c/d'], {}, 3, 'supply only one of -run-image or (deprecated) -image'],
  [['-force', 'a'], { CNB_PLATFORM_API: '0.11' }, 2, ''],
  [['-previous-image', 'a', 'b'], { CNB_PLATFORM_API: '0.10' }, 2, ''],
  [
    ['-daemon', 'a'],
    { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
    1,
    'ERROR: failed to initialize docker client: there is no container daemon to talk to at unix:///nowhere/docker.sock',
  ],
  [['-daemon', 'a'], { DOCKER_HOST: 'ssh://host' }, 1, 'not the address of a daemon: ssh://host'],
  [['-daemon', 'a'], { DOCKER_TLS_VERIFY: '1' }, 1, 'a container daemon behind TLS is not supported'],
])('%j with %j ends with %i', async (args, env, code, text) => {
  const ended = await rebase(args, { env })
  expect(ended.stdout).toContain(text)
  expect(ended.code).toBe(code)
})

test('an image or a run image that is missing', async () => {
  const missing = await rebase([`${server.host}/nothing`])
  expect(missing.stdout).toContain('failed to access image to rebase: there is no image ')
  expect(missing.code).toBe(72)
  const noBase = await rebase(['-run-image', `${server.host}/nothing`, app()])
  expect(noBase.stdout).toContain('failed to access run image: there is no image ')
  expect(noBase.code).toBe(1)
})

test('a report that cannot be written', async () => {
  place.write('taken', '')
  const ended = await lifecycle.run('rebaser', ['-report', place.path('taken/report.toml'), app()])
  expect(ended.stdout).toContain('ERROR: failed to write rebase report')
  expect(ended.code).toBe(72)
})
