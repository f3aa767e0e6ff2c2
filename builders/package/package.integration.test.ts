import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLayout } from '../../oci/layout/layout.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { parseLifecycleDescriptor } from '../../spec/files/lifecycle-descriptor.ts'
import { parseLifecycleApis } from '../../spec/labels/lifecycle-apis.ts'
import { listTar, type TarFile } from '../testing/packages.ts'
import { type Packaged, packageLifecycle } from './package.ts'
import { CLONE, contents, machine } from './testing/machine.ts'

let directory: string
let packaged: Packaged
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'package-'))
  packaged = await pack('first')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function pack(name: string): Promise<Packaged> {
  await using registries = machine()
  return packageLifecycle({
    ...registries,
    clone: CLONE,
    output: join(directory, name),
    architectures: ['amd64', 'arm64'],
    emit: () => {},
  })
}

const list = (path: string): Promise<ReadonlyMap<string, TarFile>> =>
  listTar([gunzipSync(readFileSync(path))])

test('two packagings are equal, byte for byte', async () => {
  await pack('second')
  const [first, second] = ['first', 'second'].map((name) => contents(join(directory, name)))
  expect([...(second?.keys() ?? [])]).toEqual([...(first?.keys() ?? [])])
  for (const [name, bytes] of first ?? []) expect(second?.get(name)?.equals(bytes), name).toBe(true)
})

test('each archive is what platforms take a lifecycle from (cnb-spec DI-43, V-50)', async () => {
  expect(packaged.archives.map(({ path }) => path.slice(join(directory, 'first/').length))).toEqual([
    `lifecycle-v${packaged.version}+linux.x86-64.tgz`,
    `lifecycle-v${packaged.version}+linux.arm64.tgz`,
  ])
  for (const { path, size } of packaged.archives) {
    const digest = createHash('sha256').update(readFileSync(path)).digest('hex')
    expect(readFileSync(`${path}.sha256`, 'utf8')).toBe(`${digest}  ${path.split('/').at(-1)}\n`)
    expect(size).toBe(statSync(path).size)

    const files = await list(path)
    const descriptor = files.get('lifecycle.toml')?.content.toString() ?? ''
    expect(parseLifecycleDescriptor(descriptor, { file: 'lifecycle.toml' }).version).toBe(packaged.version)
    expect([...files.keys()].slice(0, 2)).toEqual(['lifecycle.toml', 'lifecycle'])
    // One folder deep, or it would be dropped.
    const names = [...files.keys()].slice(2)
    for (const name of names) expect(name).toMatch(/^lifecycle\/[^/]+$/)
    for (const phase of 'analyzer builder creator detector exporter extender rebaser restorer'.split(' ')) {
      expect(files.get(`lifecycle/${phase}`)?.entry).toMatchObject({ type: 'symlink', linkname: 'lifecycle' })
    }
    for (const program of ['lifecycle', 'launcher', 'node'])
      expect(files.get(`lifecycle/${program}`)?.entry).toMatchObject({ type: 'file', mode: 0o755 })
    for (const subject of ['lifecycle', 'launcher'])
      for (const format of ['cdx', 'spdx', 'syft'])
        expect(names).toContain(`lifecycle/${subject}.sbom.${format}.json`)
    const bill = files.get('lifecycle/lifecycle.sbom.cdx.json')?.content.toString() ?? ''
    for (const part of ['libc6', 'libgcc-s1', 'libstdc++6', 'node', 'undici'])
      expect(bill).toContain(`"name": "${part}"`)
  }
})

test('each folder is at most 120 MB, 45 MB compressed', async () => {
  for (const { path, size } of packaged.archives) {
    const files = [...(await list(path)).values()]
    const raw = files.reduce((sum, { content }) => sum + content.length, 0)
    expect({ path, raw: raw <= 120_000_000, compressed: size <= 45_000_000 }).toEqual({
      path,
      raw: true,
      compressed: true,
    })
  }
})

test('the image has the labels that platforms read, and the lifecycle in its last layer (cnb-spec V-51)', async () => {
  const repository = openLayout(packaged.image).repository('')
  for (const [at, architecture] of ['amd64', 'arm64'].entries()) {
    const image = await readImage(repository, packaged.version, { os: 'linux', architecture })
    expect(image?.config).toMatchObject({ os: 'linux', architecture })
    expect(image?.config.config?.WorkingDir).toBe('/layers')
    const labels = image?.config.config?.Labels ?? {}
    expect(labels['io.buildpacks.lifecycle.version']).toBe(packaged.version)
    const apis = parseLifecycleApis(labels['io.buildpacks.lifecycle.apis'] ?? '', { file: 'label' })
    expect(apis.platform.supported).toContain('0.15')
    expect(JSON.parse(labels['io.buildpacks.builder.metadata'] ?? '')).toMatchObject({
      lifecycle: { version: packaged.version, api: { buildpack: '0.7', platform: '0.7' } },
    })

    const last = image === undefined ? undefined : imageLayers(image).at(-1)
    const inImage = last === undefined ? new Map<string, TarFile>() : await listTar(last.open())
    const inArchive = await list(packaged.archives[at]?.path ?? '')
    expect([...inImage.keys()].map((name) => name.replace(/^\//, ''))).toEqual([
      'cnb',
      ...[...inArchive.keys()].map((name) => `cnb/${name}`),
    ])
  }
})

test('a packaging that fails leaves what was there', async () => {
  const output = join(directory, 'first')
  const before = [...contents(output).keys()]
  await using registries = machine()
  const failing = packageLifecycle({
    ...registries,
    npm: { ...registries.npm, registry: { url: 'http://127.0.0.1:1/' } },
    clone: CLONE,
    output,
    architectures: ['amd64'],
    emit: () => {},
  })
  await expect(failing).rejects.toMatchObject({ code: 'SOURCE_NPM_UNREACHABLE' })
  expect([...contents(output).keys()]).toEqual(before)
})
