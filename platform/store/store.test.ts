import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDigest } from '../../oci/digest.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import type { LayerEntry } from '../../oci/tar/walk.ts'
import { entriesLayer } from '../../oci/tar/walk.ts'
import { temporaryDirectory } from '../../oci/testing/temporary.ts'
import { addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'
import { chainIds, openStore } from './store.ts'

const nothing = (): void => undefined
const file = (name: string, text: string): LayerEntry => ({
  type: 'file',
  name,
  mode: 0o644,
  uid: 0,
  gid: 0,
  content: Buffer.from(text),
})

async function store(
  ...images: readonly (readonly [name: string, layers: readonly (readonly LayerEntry[])[]])[]
) {
  const directory = temporaryDirectory()
  const opened = openStore(directory)
  for (const [name, layers] of images) {
    const repository = opened.layout.repository(repositoryName(parseReference(name)))
    const written = []
    for (const entries of layers)
      written.push(addedLayer(await writeLayer(entriesLayer(entries), repository)))
    await writeImage({
      repository,
      tags: ['latest'],
      layers: written,
      config: { os: 'linux', architecture: 'amd64' },
    })
  }
  const image = async (name: string) => {
    const found = await opened.image(parseReference(name))
    if (found === undefined) throw new Error(`${name} is missing`)
    return found
  }
  return { directory, opened, image }
}

test('an image is unpacked once, with later layers over earlier ones', async () => {
  const { opened, image } = await store([
    'app',
    [
      [file('/a', 'old'), file('/b', 'b')],
      [file('/a', 'new'), file('/.wh.b', '')],
    ],
  ])
  const root = await opened.unpack(await image('app'), 'Unpacking', nothing)
  expect(readdirSync(root)).toEqual(['a'])
  expect(readFileSync(join(root, 'a'), 'utf8')).toBe('new')
  const { ino } = statSync(join(root, 'a'))
  expect(await opened.unpack(await image('app'), 'Unpacking', nothing)).toBe(root)
  expect(statSync(join(root, 'a')).ino).toBe(ino)
})

test('an image on a base that is there takes over its files and leaves them as they are', async () => {
  const base = [file('/shared', 'shared'), file('/changed', 'base')]
  const { opened, image } = await store(['base', [base]], ['app', [base, [file('/changed', 'app')]]])
  const below = await opened.unpack(await image('base'), 'Unpacking', nothing)
  const root = await opened.unpack(await image('app'), 'Unpacking', nothing)
  expect(statSync(join(root, 'shared')).ino).toBe(statSync(join(below, 'shared')).ino)
  expect([readFileSync(join(below, 'changed'), 'utf8'), readFileSync(join(root, 'changed'), 'utf8')]).toEqual(
    ['base', 'app'],
  )
})

test('several at once, in one process or not, unpack once, and nothing else is left', async () => {
  const { directory, opened, image } = await store(['app', [[file('/a', 'a')]]])
  const app = await image('app')
  const tasks: string[] = []
  const stores = [opened, opened, openStore(directory)]
  const roots = await Promise.all(
    stores.map((each) => each.unpack(app, 'Unpacking', ({ type }) => tasks.push(type))),
  )
  expect(new Set(roots).size).toBe(1)
  expect(tasks).toEqual(['task-started', 'task-finished'])
  expect(readdirSync(join(directory, 'roots'))).toHaveLength(1)
})

test('what a killed process left goes after a day, what is under way stays', async () => {
  const { directory, opened, image } = await store(['app', [[file('/a', 'a')]]])
  mkdirSync(join(directory, 'roots/.old'), { recursive: true })
  mkdirSync(join(directory, 'roots/.young'))
  utimesSync(join(directory, 'roots/.old'), 0, 0)
  await opened.unpack(await image('app'), 'Unpacking', nothing)
  expect(readdirSync(join(directory, 'roots')).filter((name) => name.startsWith('.'))).toEqual(['.young'])
})

test('a broken layer leaves no tree', async () => {
  const { directory, opened, image } = await store(['app', [[file('/../a', 'a')]]])
  await expect(opened.unpack(await image('app'), 'Unpacking', nothing)).rejects.toThrow(
    expect.objectContaining({ code: 'OCI_TAR_OUTSIDE' }),
  )
  expect(readdirSync(join(directory, 'roots'))).toEqual([])
  expect(lstatSync(directory).isDirectory()).toBe(true)
})

test('chain IDs are those of the image specification', () => {
  const digest = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`)
  // printf '%s %s' sha256:aaa… sha256:bbb… | sha256sum
  const both = 'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c'
  expect(chainIds([digest('a'), digest('b')])).toEqual([digest('a'), both])
})
