import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { EventBody } from '../core/event.ts'
import { createHttpClient, type HttpClient } from '../core/http/index.ts'
import type { Image } from '../oci/image.ts'
import { openLayout } from '../oci/layout/layout.ts'
import { imageLayers } from '../oci/read-image.ts'
import { type XzPool, xzPool } from '../sources/archive/xz.ts'
import {
  type Mirror,
  makeSigningKey,
  type SigningKey,
  startMirror,
} from '../sources/debian/testing/mirror.ts'
import { baseRecipe } from './base/packages.ts'
import { type DefaultBuilderOptions, ensureDefaultBuilder } from './default-builder.ts'
import { basePackages, listTar, makePackage, type TarFile } from './testing/packages.ts'

const DAY = 24 * 60 * 60 * 1000

let key: SigningKey
let xz: XzPool
let mirror: Mirror
let http: HttpClient
let directory: string
let events: EventBody[]
let asked: number

beforeAll(async () => {
  key = await makeSigningKey()
  xz = xzPool({ size: 2 })
  return () => xz[Symbol.asyncDispose]()
})
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'builder-'))
  events = []
  asked = 0
  http = createHttpClient({})
  mirror = await archive()
  put('node', 'node')
  put('starter', 'starter')
  put('launcher', 'launcher')
  put('lifecycle.cjs', 'phases')
  for (const id of ['one', 'two']) {
    put(
      `${id}/buildpack.toml`,
      `api = "0.12"\n[buildpack]\nid = "test/${id}"\nversion = "1.0.0"\nname = "${id}"\n`,
    )
    put(`${id}/bin/detect`, '#!/bin/sh', 0o755)
    put(`${id}/bin/build`, '#!/bin/sh', 0o755)
  }
})
afterEach(async () => {
  await http.close()
  await mirror[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function archive(update?: string): Promise<Mirror> {
  const packages = await basePackages(baseRecipe('build').packages)
  const updates =
    update === undefined
      ? []
      : [await makePackage({ name: update, version: '2', files: { './usr/new': 'new' } })]
  return startMirror(key, [
    { suite: 'trixie', packages },
    { suite: 'trixie-updates', packages: updates },
    { suite: 'trixie-security', packages: [] },
  ])
}

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
  chmodSync(join(directory, path), mode)
}

function ensure(more: Partial<DefaultBuilderOptions> = {}) {
  return ensureDefaultBuilder({
    layout: openLayout(join(directory, 'layout')),
    directory: join(directory, 'state'),
    architecture: 'amd64',
    lifecycle: {
      node: join(directory, 'node'),
      starter: join(directory, 'starter'),
      launcher: join(directory, 'launcher'),
      bundle: join(directory, 'lifecycle.cjs'),
    },
    buildpacks: [join(directory, 'one'), join(directory, 'two')],
    version: '0.1.0',
    xz,
    debian: () => {
      asked++
      return {
        http,
        archives: { main: [mirror.uri], security: [mirror.uri] },
        settings: { main: 'debian.mirror', security: 'debian.security-mirror' },
        keys: [key.publicKey],
      }
    },
    emit: (event) => events.push(event),
    ...more,
  })
}

/** Everything in an image, later layers over earlier ones, by absolute name. */
async function contents(image: Image): Promise<Map<string, TarFile>> {
  const files = new Map<string, TarFile>()
  for (const layer of imageLayers(image)) {
    for (const [name, file] of await listTar(layer.open()))
      files.set(`/${name.replace(/^\/|\/$/g, '')}`, file)
  }
  return files
}

const labels = (image: Image) => image.config.config?.Labels ?? {}

test('makes a builder that the spec calls one', async () => {
  const { builder, run } = await ensure()
  expect(builder.config).toMatchObject({
    os: 'linux',
    architecture: 'amd64',
    created: '1980-01-01T00:00:01Z',
    config: {
      User: '1001:1000',
      WorkingDir: '/layers',
      Env: expect.arrayContaining(['CNB_USER_ID=1001', 'CNB_GROUP_ID=1000', expect.stringMatching(/^PATH=/)]),
    },
  })
  expect(run.config.config).toMatchObject({ User: '1002:1000' })
  for (const image of [builder, run]) {
    expect(labels(image)).toMatchObject({
      'io.buildpacks.base.distro.name': 'debian',
      'io.buildpacks.base.distro.version': '13',
      'io.buildpacks.stack.id': 'io.slipway.stacks.trixie',
    })
  }
  const metadata = JSON.parse(labels(builder)['io.buildpacks.builder.metadata'] ?? '')
  expect(metadata).toMatchObject({
    buildpacks: [{ id: 'test/one', version: '1.0.0' }, { id: 'test/two' }],
    images: [{ image: 'slipway.local/run:trixie' }],
    stack: { runImage: { image: 'slipway.local/run:trixie' } },
    lifecycle: { version: '0.1.0' },
  })
  const moduleLayers = JSON.parse(labels(builder)['io.buildpacks.buildpack.layers'] ?? '')
  expect(builder.config.rootfs.diff_ids).toContain(moduleLayers['test/one']['1.0.0'].layerDiffID)
  expect(JSON.parse(labels(builder)['io.buildpacks.buildpack.order'] ?? '')).toEqual([
    { group: [{ id: 'test/one', version: '1.0.0' }] },
    { group: [{ id: 'test/two', version: '1.0.0' }] },
  ])
})

test('its files', async () => {
  const { builder, run } = await ensure()
  const files = await contents(builder)
  const text = (path: string) => files.get(path)?.content.toString()
  expect(text('/cnb/lifecycle/node')).toBe('node')
  expect(text('/cnb/lifecycle/lifecycle')).toBe('starter')
  expect(text('/cnb/lifecycle/libstdc++.so.6')).toBe('stdc++')
  expect(text('/cnb/lifecycle/libc.so.6')).toBe('libc /cnb/nsswitch.conf\0 end')
  expect(text('/cnb/lifecycle/ld-linux-x86-64.so.2')).toBe('ld /cnb/ld.so.preload\0 end')
  expect(text('/usr/lib/x86_64-linux-gnu/libc.so.6')).toContain('/etc/nsswitch.conf')
  for (const phase of ['analyzer', 'detector', 'restorer', 'builder', 'exporter', 'creator', 'rebaser']) {
    expect(files.get(`/cnb/lifecycle/${phase}`)?.entry).toMatchObject({
      type: 'symlink',
      linkname: 'lifecycle',
    })
  }
  expect(text('/cnb/run.toml')).toContain('slipway.local/run:trixie')
  expect(text('/cnb/order.toml')).toContain('test/one')
  expect(text('/cnb/lifecycle.toml')).toContain('version = "0.1.0"')
  expect(files.get('/cnb/buildpacks/test_two/1.0.0/bin/build')?.entry.mode).toBe(0o755)
  expect(files.get('/layers')?.entry).toMatchObject({ uid: 1001, gid: 1000, mode: 0o755 })
  expect(files.get('/usr/bin/gcc')?.entry.mode).toBe(0o755)
  expect(text('/var/lib/dpkg/status.d/bash')).toContain('Package: bash')

  const inRun = await contents(run)
  expect(inRun.get('/etc/passwd')?.content.toString()).toContain('cnb:x:1002:1000')
  expect(inRun.get('/etc/ssl/certs/ca-certificates.crt')?.content.toString()).toBe('A\nB\n')
  expect(inRun.has('/usr/bin/gcc')).toBe(false)
  expect(inRun.has('/cnb')).toBe(false)
})

test('a second call asks nobody and writes nothing', async () => {
  const first = await ensure()
  events.length = 0
  mirror.requests.length = 0
  const second = await ensure()
  expect([second.builder.digest, second.run.digest]).toEqual([first.builder.digest, first.run.digest])
  expect([asked, events, mirror.requests]).toEqual([1, [], []])
})

test('the same packages give the same images, wherever', async () => {
  const first = await ensure()
  const second = await ensure({
    layout: openLayout(join(directory, 'other-layout')),
    directory: join(directory, 'other-state'),
  })
  expect([second.builder.digest, second.run.digest]).toEqual([first.builder.digest, first.run.digest])
})

test('nothing but small memories is left: no packages, nothing unpacked', async () => {
  await ensure()
  const left = readdirSync(join(directory, 'state'))
  expect(left.filter((name) => !['index-dates.json', 'file-digests.json'].includes(name))).toEqual([])
})

test('another buildpack or lifecycle makes its own layer again, and no other', async () => {
  const first = await ensure()
  put('one/bin/build', '#!/bin/sh\nexit 1', 0o755)
  put('lifecycle.cjs', 'other phases')
  const second = await ensure()
  const changed = second.builder.config.rootfs.diff_ids.map(
    (id, at) => id !== first.builder.config.rootfs.diff_ids[at],
  )
  // base, runtime, lifecycle, one, two, configuration
  expect(changed).toEqual([false, false, true, true, false, false])
  expect(asked).toBe(1)
})

test('a buildpack that goes takes its layer with it', async () => {
  await ensure()
  const { builder } = await ensure({ buildpacks: [join(directory, 'two')] })
  expect([...(await contents(builder)).keys()].filter((name) => name.includes('test_one'))).toEqual([])
})

test('a refresh takes what is new, and where nothing is new keeps what is there', async () => {
  const first = await ensure()
  const same = await ensure({ refresh: true })
  expect([same.builder.digest, asked]).toEqual([first.builder.digest, 2])
  expect(mirror.requests.filter((path) => path.endsWith('.deb')).length).toBe(
    baseRecipe('build').packages.length,
  )
  await mirror[Symbol.asyncDispose]()
  mirror = await archive('bash')
  const fresh = await ensure({ refresh: true })
  expect(fresh.run.digest).not.toBe(first.run.digest)
  expect((await contents(fresh.run)).has('/usr/new')).toBe(true)
})

test('an index that is much older than the last one is refused', async () => {
  await ensure()
  const dates = join(directory, 'state', 'index-dates.json')
  writeFileSync(dates, JSON.stringify({ trixie: new Date(Date.now() + 6 * DAY).toISOString() }))
  await ensure({ refresh: true })
  writeFileSync(dates, JSON.stringify({ trixie: new Date(Date.now() + 8 * DAY).toISOString() }))
  await expect(ensure({ refresh: true })).rejects.toMatchObject({ code: 'SOURCE_DEBIAN_RELEASE_OLDER' })
})

test('a damaged package leaves nothing half-made, and the next call goes on', async () => {
  const name = 'pool/bash_1.deb'
  const right = mirror.files.get(name) ?? Buffer.alloc(0)
  mirror.files.set(name, Buffer.alloc(right.length))
  await expect(ensure()).rejects.toMatchObject({ code: 'SOURCE_DEBIAN_DIGEST_WRONG' })
  expect(
    existsSync(join(directory, 'layout', 'index.json')) ? openLayout(join(directory, 'layout')).images() : [],
  ).toEqual([])
  expect(readdirSync(join(directory, 'state')).filter((entry) => entry !== 'packages')).toEqual([])
  mirror.files.set(name, right)
  expect((await ensure()).builder.digest).toMatch(/^sha256:/)
})

test('a lifecycle that is not whole is told with the file', async () => {
  rmSync(join(directory, 'launcher'))
  await expect(ensure()).rejects.toMatchObject({
    code: 'BUILDERS_LIFECYCLE_MISSING',
    subject: join(directory, 'launcher'),
  })
})

test('an assembly that is told to stop leaves verified packages, for the next one', async () => {
  const stop = new AbortController()
  let unpacking = false
  const emit = (event: EventBody): void => {
    unpacking ||= event.type === 'task-progress' && event.task === 'packages-unpack'
    if (unpacking) stop.abort()
  }
  await expect(ensure({ emit, signal: stop.signal })).rejects.toThrow()
  expect(readdirSync(join(directory, 'state'))).toEqual(['packages'])
  mirror.requests.length = 0
  await ensure()
  expect(mirror.requests.filter((path) => path.endsWith('.deb'))).toEqual([])
})

test('a folder that cannot be written to is told', async () => {
  put('state', 'a file')
  await expect(ensure()).rejects.toMatchObject({
    code: 'BUILDERS_FILE_SYSTEM',
    subject: join(directory, 'state'),
  })
})
