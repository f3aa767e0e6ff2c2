import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes, mountedRoot } from '../../core/root.ts'
import { collect, temporaryDirectory } from '../testing/temporary.ts'
import { extractLayer } from './extract.ts'
import { makeTree } from './testing/tree.ts'
import { directoryLayer, entriesLayer, type LayerEntry, walk } from './walk.ts'

const LAYER = containerPath('/layers/bp/l')
const OWNER = { uid: 1000, gid: 1000, owned: [containerPath('/layers')] }
const ids = { uid: 0, gid: 0 }

const file = (name: string, content = 'x', mode = 0o644): LayerEntry => ({
  type: 'file',
  name,
  mode,
  ...ids,
  content: Buffer.from(content),
})
const directory = (name: string, mode = 0o755): LayerEntry => ({ type: 'directory', name, mode, ...ids })
const link = (name: string, linkname: string): LayerEntry => ({
  type: 'symlink',
  name,
  mode: 0o777,
  ...ids,
  linkname,
})

async function extract(host: string, entries: readonly LayerEntry[], within = [LAYER]) {
  return extractLayer(entriesLayer(entries).blocks(), mountedRoot(host, []), { within })
}

test('what was a layer is the same layer again', async () => {
  const source = temporaryDirectory()
  makeTree(source)
  const from = mountedRoot('/', [{ path: LAYER, host: source }])
  const tar = await collect(directoryLayer(from, LAYER, OWNER).blocks())

  const host = temporaryDirectory()
  const root = mountedRoot(host, [])
  const cut = function* () {
    for (let at = 0; at < tar.length; at += 10_007) yield tar.subarray(at, at + 10_007)
  }
  const extracted = await extractLayer(cut(), root, { within: [LAYER] })
  expect((await collect(directoryLayer(root, LAYER, OWNER).blocks())).equals(tar)).toBe(true)
  const files = [...walk(root, LAYER)].filter(({ stats }) => stats.isFile())
  expect(extracted.bytes).toBe(files.reduce((sum, { stats }) => sum + stats.size, 0))
  // Again over what is there.
  await extractLayer([tar], root, { within: [LAYER] })
  expect((await collect(directoryLayer(root, LAYER, OWNER).blocks())).equals(tar)).toBe(true)
})

test('modes hold whatever the umask is, and only new directories get one', async () => {
  const host = temporaryDirectory()
  mkdirSync(`${host}/layers/bp`, { recursive: true })
  chmodSync(`${host}/layers/bp`, 0o700)
  mkdirSync(`${host}/layers/bp/l/kept`, { recursive: true })
  chmodSync(`${host}/layers/bp/l/kept`, 0o711)
  const before = process.umask(0o077)
  try {
    await extract(host, [
      directory('/layers/bp', 0o777),
      directory('/layers/bp/l'),
      directory('/layers/bp/l/kept', 0o777),
      directory('/layers/bp/l/new', 0o1777),
      directory('/layers/bp/l/closed', 0o555),
      file('/layers/bp/l/closed/file', 'x', 0o4755),
    ])
  } finally {
    process.umask(before)
  }
  const mode = (name: string) => statSync(`${host}/layers/bp/${name}`).mode & 0o7777
  expect(['', 'l/kept', 'l/new', 'l/closed', 'l/closed/file'].map(mode)).toEqual([
    0o700, 0o711, 0o1777, 0o555, 0o4755,
  ])
  chmodSync(`${host}/layers/bp/l/closed`, 0o755)
})

test('what is written belongs to the owner that is asked for, with its modes', async () => {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  // Only root may give anything away.
  const owner = uid === 0 ? { uid: 12_345, gid: 12_346 } : { uid, gid }
  const host = temporaryDirectory()
  const tar = entriesLayer([
    directory(LAYER),
    directory(`${LAYER}/d`),
    file(`${LAYER}/d/setuid`, 'x', 0o4755),
    link(`${LAYER}/link`, 'd'),
  ])
  await extractLayer(tar.blocks(), mountedRoot(host, []), { within: [LAYER], owner })
  for (const name of ['', '/d', '/d/setuid', '/link'])
    expect(lstatSync(host + LAYER + name)).toMatchObject(owner)
  expect(statSync(`${host}${LAYER}/d/setuid`).mode & 0o7777).toBe(0o4755)
})

test('replaces files, links and directories that are in the way', async () => {
  const host = temporaryDirectory()
  const outside = temporaryDirectory()
  writeFileSync(`${outside}/victim`, 'untouched')
  mkdirSync(`${host}/layers/bp/l/was-directory/deep`, { recursive: true })
  writeFileSync(`${host}/layers/bp/l/was-file`, 'a longer old text')
  symlinkSync(`${outside}/victim`, `${host}/layers/bp/l/was-link`)
  symlinkSync(outside, `${host}/layers/bp/l/was-link-to-directory`)
  await extract(host, [
    directory('/layers/bp/l'),
    file('/layers/bp/l/was-directory', 'new'),
    file('/layers/bp/l/was-file', 'new'),
    file('/layers/bp/l/was-link', 'new'),
    directory('/layers/bp/l/was-link-to-directory'),
    file('/layers/bp/l/was-link-to-directory/file', 'new'),
    // Twice in one archive: the last one counts.
    link('/layers/bp/l/twice', 'a'),
    link('/layers/bp/l/twice', 'b'),
  ])
  for (const name of ['was-directory', 'was-file', 'was-link', 'was-link-to-directory/file']) {
    expect(readFileSync(`${host}/layers/bp/l/${name}`, 'utf8')).toBe('new')
  }
  expect(readlinkSync(`${host}/layers/bp/l/twice`)).toBe('b')
  expect(readFileSync(`${outside}/victim`, 'utf8')).toBe('untouched')
  expect(readdirSync(outside)).toEqual(['victim'])
})

test('a directory of the container that is a link is followed to where it leads in the container', async () => {
  const host = temporaryDirectory()
  mkdirSync(`${host}/mnt/real`, { recursive: true })
  symlinkSync('/mnt/real', `${host}/layers`)
  await extract(host, [
    directory('/layers'),
    directory('/layers/bp'),
    directory('/layers/bp/l'),
    file('/layers/bp/l/f'),
  ])
  expect(readFileSync(`${host}/mnt/real/bp/l/f`, 'utf8')).toBe('x')
})

test.each([['layers/bp/l'], ['./layers/bp/l'], ['/layers/bp//l']])(
  'what another program packed goes to its place: %s',
  async (name) => {
    const host = temporaryDirectory()
    await extract(host, [directory('layers/'), directory(`${name}/`), file(`${name}/f`)])
    expect(readFileSync(`${host}/layers/bp/l/f`, 'utf8')).toBe('x')
  },
)

describe('refuses', () => {
  test.each([
    ['a name outside', [file('/etc/passwd')]],
    ['a file above the layer', [file('/layers/bp')]],
    ['a link above the layer', [link('/layers', '/etc')]],
    ['a sibling whose name only begins alike', [file('/layers/bp/l2/f')]],
    ['a way up', [file('/layers/bp/l/../x')]],
    ['a relative way up', [file('layers/bp/l/../../x')]],
    ['a relative name of elsewhere', [file('etc/x')]],
    [
      'the way through a link of the archive',
      [link('/layers/bp/l/a', '/etc'), file('/layers/bp/l/a/passwd')],
    ],
    [
      'a directory through a link of the archive',
      [link('/layers/bp/l/a', '/'), directory('/layers/bp/l/a/b')],
    ],
    ['the way through a file', [file('/layers/bp/l/a'), file('/layers/bp/l/a/b')]],
  ] as [string, LayerEntry[]][])('%s', async (_, entries) => {
    const host = temporaryDirectory()
    await expect(extract(host, entries)).rejects.toMatchObject({ code: 'OCI_TAR_OUTSIDE' })
  })

  test('the way through a link that was there', async () => {
    const host = temporaryDirectory()
    const outside = temporaryDirectory()
    mkdirSync(`${host}/layers/bp/l`, { recursive: true })
    symlinkSync(outside, `${host}/layers/bp/l/a`)
    await expect(extract(host, [file('/layers/bp/l/a/b')])).rejects.toMatchObject({ code: 'OCI_TAR_OUTSIDE' })
    expect(readdirSync(outside)).toEqual([])
  })

  test('the way through a link that the archive puts in the place of the layer', async () => {
    const host = temporaryDirectory()
    mkdirSync(`${host}/layers/bp`, { recursive: true })
    const entries = [link('/layers/bp/l', '..'), file('/layers/bp/l/a')]
    await expect(extract(host, entries)).rejects.toMatchObject({ code: 'OCI_TAR_OUTSIDE' })
    expect(readdirSync(`${host}/layers`)).toEqual(['bp'])
  })

  test('a hard link, which a layer of ours never has', async () => {
    const hard: LayerEntry = {
      type: 'hardlink',
      name: '/layers/bp/l/h',
      mode: 0o644,
      ...ids,
      linkname: '/etc/passwd',
    }
    await expect(extract(temporaryDirectory(), [hard])).rejects.toMatchObject({ code: 'OCI_TAR_UNSUPPORTED' })
  })
})

test('a name that the file system cannot hold is our error', async () => {
  const name = `/layers/bp/l/${'n'.repeat(256)}`
  await expect(extract(temporaryDirectory(), [file(name)])).rejects.toMatchObject({
    code: 'OCI_TAR_WRITE_FAILED',
    subject: name,
  })
})

test('no sequence of entries reaches outside', async () => {
  const part = fc.constantFrom('a', 'b', '..', '.', '', 'l', 'layers', 'bp', '\xff')
  const name = fc
    .tuple(
      fc.constantFrom('/layers/bp/l/', '/layers/bp/', '/', ''),
      fc.array(part, { minLength: 1, maxLength: 3 }),
    )
    .map(([base, parts]) => base + parts.join('/'))
    .filter((text) => text !== '' && !text.endsWith('/'))
  const entry = fc.oneof(
    name.map((text) => file(text)),
    name.map((text) => directory(text)),
    fc
      .tuple(name, fc.constantFrom('..', '../..', '/', '/outside', 'a', '/layers/bp/l/a'))
      .map(([text, target]) => link(text, target)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
      const host = temporaryDirectory()
      mkdirSync(`${host}/outside`)
      mkdirSync(`${host}/layers/bp`, { recursive: true })
      await extract(host, entries).catch((error: unknown) => expect(error).toBeInstanceOf(SlipwayError))
      expect(readdirSync(host).sort()).toEqual(['layers', 'outside'])
      expect(readdirSync(`${host}/outside`)).toEqual([])
      expect(readdirSync(`${host}/layers`)).toEqual(['bp'])
      expect(['', 'l']).toContain(readdirSync(`${host}/layers/bp`).join())
    }),
    { numRuns: 200 },
  )
})

test('names are bytes', async () => {
  const host = temporaryDirectory()
  await extract(host, [directory('/layers/bp/l'), file('/layers/bp/l/\xff\xfe')])
  expect(lstatSync(hostBytes(`${host}/layers/bp/l/\xff\xfe`)).isFile()).toBe(true)
})
