/** What apps and buildpacks may hold, however odd, arrives in the image as it is; what cannot is named. */

import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { builtProgram } from '../../native/testing/programs.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { readEntries } from '../../oci/tar/testing/read-entries.ts'
import { collect } from '../../oci/testing/temporary.ts'
import {
  isRunning,
  ORDINARY_USER,
  type RunOptions,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'
import { type RegistryWithRunImage, registryWithRunImage } from './testing/run-image.ts'

let lifecycle: TestLifecycle
let server: RegistryWithRunImage
let place: TestPlace
let image: string
let images = 0
beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = await registryWithRunImage()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  lifecycle[Symbol.dispose]()
})
beforeEach(() => {
  place = testPlace(lifecycle)
  place.buildpack('a/b', { detect: 'exit 0', build: 'exit 0' })
  place.order(['a/b'])
  copyFileSync(builtProgram('launcher'), place.path('launcher'))
  image = `${server.host}/app${++images}`
})

function creator(uid = ORDINARY_USER): readonly string[] {
  return [
    ...place.detectFlags,
    ...['-uid', String(uid), '-gid', String(uid), '-launcher', place.path('launcher')],
    ...['-run-image', `${server.host}/run`, image],
  ]
}

const create = (options: RunOptions = {}, uid?: number) => lifecycle.run('creator', creator(uid), options)

/** What the image's layers hold below a directory, by name. */
async function contents(directory: string) {
  const found = await readImage(server.registry.repository(parseReference(image)), 'latest')
  if (found === undefined) throw new Error('there is no image')
  const archives = await Promise.all(imageLayers(found).map((layer) => collect(layer.open())))
  const top = `${directory}/`.replace(/^\//, '')
  return new Map(
    archives
      .flatMap((archive) => readEntries(archive))
      .map(
        ({ entry, data }) =>
          [entry.name.replace(/^\//, ''), { entry, data: data.toString('latin1') }] as const,
      )
      .filter(([name]) => name.startsWith(top))
      .map(([name, found]) => [name.slice(top.length), found]),
  )
}

test('values with = in them reach bin/build and the layer as they are', async () => {
  const value = '-Da=b -Dc==d '
  place.write('platform/env/OPTIONS', value)
  place.buildpack('a/b', {
    detect: 'exit 0',
    build: `cd "$1"; mkdir -p l/env; printf '%s' "$OPTIONS" >l/env/MORE.override; printf '[types]\\nlaunch = true\\n' >l.toml; echo "<$OPTIONS>"`,
  })
  const ended = await create()
  expect(ended.stdout).toContain(`<${value}>\n`)
  expect(ended.code).toBe(0)
  expect((await contents(place.path('layers/a_b'))).get('l/env/MORE.override')?.data).toBe(value)
})

test('both names of a hard link are files with its contents', async () => {
  place.write('app/first', 'shared')
  linkSync(place.path('app/first'), place.path('app/second'))
  expect((await create()).code).toBe(0)
  const app = await contents(place.path('app'))
  for (const name of ['first', 'second']) {
    expect(app.get(name)).toMatchObject({ entry: { type: 'file' }, data: 'shared' })
  }
})

test('names that are not UTF-8, of 255 bytes, and paths of more than 300 characters', async () => {
  const names = [
    'caf\xe9 \xff\xfe',
    'x'.repeat(255),
    `${'d'.repeat(150)}/${'e'.repeat(150)}/${'f'.repeat(20)}`,
  ]
  for (const name of names) {
    const path = Buffer.from(place.path('app', name), 'latin1')
    mkdirSync(path.subarray(0, path.lastIndexOf('/')), { recursive: true })
    writeFileSync(path, name, 'latin1')
  }
  expect((await create()).code).toBe(0)
  const app = await contents(place.path('app'))
  for (const name of names) expect(app.get(name)?.data).toBe(name)
})

test('a user above 2^21 owns the layers, and 32 bits of it', async () => {
  place.write('app/file', 'text')
  for (const uid of [3_000_000, 4_294_967_294]) {
    expect((await create({}, uid)).code).toBe(0)
    const app = await contents(place.path('app'))
    expect(app.get('file')?.entry).toMatchObject({ uid, gid: uid })
  }
})

test.skipIf(process.getuid?.() !== 0)('root becomes a user above 2^21 (needs root)', async () => {
  const uid = 3_000_000
  place.buildpack('a/b', { detect: 'exit 0', build: 'echo "as $(id -u):$(id -g)"' })
  const ended = await create({ privileged: true }, uid)
  expect(ended.stdout).toContain(`as ${uid}:${uid}\n`)
  expect(ended.code).toBe(0)
})

test('a file of the year 2100 and a creation time behind 2038', async () => {
  const late = 4_102_444_800
  place.write('app/file', 'text')
  utimesSync(place.path('app/file'), late, late)
  expect((await create({ env: { SOURCE_DATE_EPOCH: String(late) } })).code).toBe(0)
  const found = await readImage(server.registry.repository(parseReference(image)), 'latest')
  expect(found?.config.created).toBe('2100-01-01T00:00:00Z')
  // Whatever the file says, a layer's times are the same in every build.
  expect((await contents(place.path('app'))).get('file')?.entry.mtime).toBe(315_532_801)
})

test('a file that changes while it is read is named, with exit code 62', async () => {
  const file = place.path('app/log')
  writeFileSync(file, '')
  let size = 100_000_000
  truncateSync(file, size)
  const growing = setInterval(() => truncateSync(file, ++size), 1)
  const ended = await lifecycle.run('creator', ['-log-format', 'json', ...creator()])
  clearInterval(growing)
  const failed = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(failed).toMatchObject({
    type: 'failed',
    phase: 'export',
    code: 'OCI_FILE_CHANGED',
    class: 'user',
    subject: file,
    exitCode: 62,
  })
  expect(ended.code).toBe(62)
})

test('what a bin/detect leaves running is ended before the phase goes on', async () => {
  chmodSync(place.path('app'), 0o777)
  place.buildpack('a/b', {
    detect: [
      `setsid bash -c 'echo $$ >${place.path('app/daemon')}; exec sleep 600' >/dev/null 2>&1 </dev/null &`,
      `(trap '' TERM HUP; echo $BASHPID >${place.path('app/child')}; exec sleep 600) &`,
      `while [ ! -s ${place.path('app/daemon')} ] || [ ! -s ${place.path('app/child')} ]; do :; done`,
    ].join('\n'),
  })
  const ended = await lifecycle.run('detector', place.detectFlags)
  expect(ended.code).toBe(0)
  for (const name of ['daemon', 'child']) {
    const pid = Number(place.read(join('app', name)))
    expect(pid).toBeGreaterThan(1)
    expect(isRunning(pid)).toBe(false)
  }
})
