import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import { readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry, type Registry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { randomImage, validateImage } from '../../oci/testing/index.ts'
import {
  ORDINARY_USER,
  type RunOptions,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'

const USER = 'somebody'
const PASSWORD = 'opensesame-3141'
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch

let lifecycle: TestLifecycle
let server: TestRegistry
let http: HttpClient
let registry: Registry
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = await startTestRegistry({ auth: { kind: 'basic', users: { [USER]: PASSWORD } } })
  http = createHttpClient({})
  registry = createRegistry({
    http,
    credentials: async () => ({ kind: 'basic', username: USER, password: PASSWORD }),
  })
  await randomImage({
    repository: registry.repository(parseReference(`${server.host}/run`)),
    platform: { os: 'linux', architecture: ARCHITECTURE },
    tags: ['base'],
  })
})
afterAll(async () => {
  await http.close()
  await server.close()
  lifecycle[Symbol.dispose]()
})
beforeEach(() => {
  place = testPlace(lifecycle)
  mkdirSync(place.path('cache'))
  chmodSync(place.path('cache'), 0o777)
  place.buildpack('a/deps', {
    detect: `printf '[[provides]]\\nname = "deps"\\n[[requires]]\\nname = "deps"\\n' >"$2"`,
    build: [
      'cd "$1"; if [ -f deps/installed ]; then echo "deps are there"; else mkdir -p deps; echo yes >deps/installed; fi',
      'printf "[types]\\nlaunch = true\\ncache = true\\n[metadata]\\nv = 1\\n" >deps.toml',
      `printf '[[processes]]\\ntype = "web"\\ncommand = ["serve"]\\ndefault = true\\n' >launch.toml`,
      'env | grep -c REGISTRY_AUTH; true',
    ].join('\n'),
  })
  place.order(['a/deps'])
  place.write('app/server.js', 'listen()\n')
  copyFileSync(launcher, place.path('launcher'))
})

const auth = () => {
  const header = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  return { CNB_REGISTRY_AUTH: JSON.stringify({ [server.host]: header }) }
}
const launcher = fileURLToPath(new URL(`../../native/built/${ARCHITECTURE}/launcher`, import.meta.url))
const common = (of: TestPlace) => [
  ...['-layers', of.path('layers'), '-cache-dir', of.path('cache')],
  ...['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)],
]
const exportFlags = (of: TestPlace) => [
  '-app',
  of.path('app'),
  '-launcher',
  of.path('launcher'),
  '-log-level',
  'info',
]

function create(name: string, options: RunOptions = {}) {
  const flags = [
    ...common(place),
    ...exportFlags(place),
    ...place.detectFlags,
    '-run-image',
    `${server.host}/run:base`,
  ]
  return lifecycle.run('creator', [...flags, `${server.host}/${name}`], {
    ...options,
    env: { ...auth(), ...options.env },
  })
}

async function imageOf(name: string) {
  const reference = parseReference(`${server.host}/${name}`)
  const image = await readImage(registry.repository(reference), reference.tag ?? 'latest')
  if (image === undefined) throw new Error(`there is no ${name}`)
  return image
}

const isRoot = process.getuid?.() === 0

describe('creator', () => {
  test.each<[string, boolean]>([
    ['an ordinary user', false],
    ...(isRoot ? [['root, for that user', true] as [string, boolean]] : []),
  ])('makes an image as %s, and the second time says what it reused', async (_, privileged) => {
    const name = `app-${privileged ? 'root' : 'user'}`
    const first = await create(name, { privileged })
    expect(first.stdout).toContain('===> ANALYZING\n')
    for (const phase of ['DETECTING', 'RESTORING', 'BUILDING', 'EXPORTING']) {
      expect(first.stdout).toContain(`===> ${phase}\n`)
    }
    expect(first.stdout).toContain("Adding layer 'a/deps:deps'\n")
    expect(first.stdout).toContain('Added 1/1 app layer(s)\n')
    expect(first.stdout).toContain("Setting default process type 'web'\n")
    expect(first.stdout).toContain("Adding cache layer 'a/deps:deps'\n")
    expect(first.code).toBe(0)
    expect(first.stdout).not.toContain(PASSWORD)
    // bin/build found no credential in its environment.
    expect(first.stdout).toMatch(/^0$/m)

    const image = await imageOf(name)
    await validateImage(image)
    expect(place.read('layers/report.toml')).toContain(`digest = "${image.digest}"`)
    expect(image.config.config?.Entrypoint).toEqual(['/cnb/process/web'])

    const second = await create(name, { privileged })
    expect(second.code).toBe(0)
    expect(second.stdout).toContain('Restoring data for "a/deps:deps" from cache\n')
    expect(second.stdout).toContain('deps are there\n')
    expect(second.stdout).toContain("Reusing layer 'a/deps:deps'\n")
    expect(second.stdout).toContain('Reused 1/1 app layer(s)\n')
    expect(second.stdout).toContain("Reusing cache layer 'a/deps:deps'\n")
    expect((await imageOf(name)).digest).toBe(image.digest)
  })

  test('is the five phases one after the other: the same image from both', async () => {
    expect((await create('whole')).code).toBe(0)
    const layers = place.path('layers')
    rmSync(layers, { recursive: true })
    mkdirSync(layers)
    chmodSync(layers, 0o777)
    const image = `${server.host}/parts`
    const inLayers = ['-layers', layers]
    const as = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
    const phases: [string, string[]][] = [
      ['analyzer', [...inLayers, ...as, '-run-image', `${server.host}/run:base`, image]],
      ['detector', [...place.detectFlags]],
      ['restorer', [...inLayers, ...as]],
      ['builder', [...place.buildFlags]],
      [
        'exporter',
        [...inLayers, ...as, '-app', place.path('app'), '-launcher', place.path('launcher'), image],
      ],
    ]
    for (const [phase, flags] of phases) {
      const isConnected = phase !== 'detector' && phase !== 'builder'
      const ended = await lifecycle.run(phase, flags, {
        env: isConnected ? auth() : {},
        privileged: isConnected,
      })
      expect(`${phase} ${ended.code}`).toBe(`${phase} 0`)
      expect(ended.stdout).not.toContain('===>')
    }
    expect((await imageOf('parts')).digest).toBe((await imageOf('whole')).digest)
  })

  test('a registry that refuses is told from an image that is missing', async () => {
    const ended = await create('denied', { env: { CNB_REGISTRY_AUTH: undefined } })
    expect(ended.stdout).toContain('ERROR: failed to analyze: ')
    expect(ended.code).toBe(32)
  })

  test('the exit code is that of the phase that failed', async () => {
    place.buildpack('a/deps', { detect: 'exit 100', build: 'exit 0' })
    expect((await create('failing')).code).toBe(20)
    place.buildpack('a/deps', { detect: 'exit 0', build: 'exit 9' })
    expect((await create('failing')).code).toBe(51)
    place.buildpack('a/deps', { detect: 'exit 0', build: 'exit 0' })
    const ended = await create('failing', { env: { CNB_PROCESS_TYPE: 'nobody' } })
    expect(ended.stdout).toContain('ERROR: failed to export: ')
    expect(ended.code).toBe(62)
  })

  test('keeps the cache in an image, which wins over a directory, and the exporter and restorer use it too', async () => {
    const cacheImage = ['-cache-image', `${server.host}/cached:cache`]
    const layers = place.path('layers')
    const emptyLayers = () => {
      rmSync(layers, { recursive: true })
      mkdirSync(layers)
      chmodSync(layers, 0o777)
    }
    const flags = [...common(place), ...exportFlags(place), ...place.detectFlags, ...cacheImage]
    const run = () =>
      lifecycle.run('creator', [...flags, '-run-image', `${server.host}/run:base`, `${server.host}/cached`], {
        env: auth(),
      })
    const first = await run()
    expect(first.stdout).toContain('Layer cache not found\n')
    expect(first.stdout).toContain("Adding cache layer 'a/deps:deps'\n")
    expect(first.code).toBe(0)
    const cached = await imageOf('cached:cache')
    await validateImage(cached)
    expect(readdirSync(place.path('cache'))).toEqual([])

    emptyLayers()
    const second = await run()
    expect(second.stdout).toContain('Restoring data for "a/deps:deps" from cache\n')
    expect(second.stdout).toContain('deps are there\n')
    expect(second.stdout).toContain("Reusing cache layer 'a/deps:deps'\n")
    expect((await imageOf('cached:cache')).digest).toBe(cached.digest)

    rmSync(place.path('layers/a_deps'), { recursive: true })
    const as = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER), '-layers', layers]
    const restored = await lifecycle.run('restorer', [...as, ...cacheImage], { env: auth() })
    expect(restored.stdout).toContain('Restoring data for "a/deps:deps" from cache\n')
    expect(restored.code).toBe(0)
    expect(place.read('layers/a_deps/deps/installed')).toBe('yes\n')
    expect((await lifecycle.run('builder', [...place.buildFlags])).code).toBe(0)
    const exported = await lifecycle.run(
      'exporter',
      [...as, ...cacheImage, ...exportFlags(place), `${server.host}/cached`],
      { env: auth() },
    )
    expect(exported.stdout).toContain("Reusing cache layer 'a/deps:deps'\n")
    expect(exported.code).toBe(0)
  })
})
