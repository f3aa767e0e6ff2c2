import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { hostBytes, mountedRoot, type Root } from '../../core/root.ts'
import { collect, temporaryDirectory } from '../testing/temporary.ts'
import { readEntries } from './testing/read-entries.ts'
import { makeTree, RECORDED } from './testing/tree.ts'
import { directoryLayer, entriesLayer, type LayerOwner, pathsLayer, walk } from './walk.ts'

const OWNER: LayerOwner = {
  uid: 1000,
  gid: 1001,
  owned: [containerPath('/layers'), containerPath('/workspace')],
}

function rootAt(path: string, host: string): { root: Root; path: ContainerPath } {
  const at = containerPath(path)
  return { root: mountedRoot('/nowhere', [{ path: at, host }]), path: at }
}

async function listing(source: { blocks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array> }) {
  return readEntries(await collect(source.blocks()))
}

describe('bytes recorded from Go', () => {
  test('a tree with everything hard in it', async () => {
    const host = temporaryDirectory()
    makeTree(host)
    const { root, path } = rootAt('/layers/bp/layer', host)
    const source = directoryLayer(root, path, { ...OWNER, uid: 1_000_620_000 })
    const sha = createHash('sha256').update(await collect(source.blocks()))
    expect(sha.digest('hex')).toBe(RECORDED.tree)
    // A second reading gives the same.
    const again = createHash('sha256').update(await collect(source.blocks()))
    expect(again.digest('hex')).toBe(RECORDED.tree)
  })

  test('an app slice, sorted as strings', async () => {
    const host = temporaryDirectory()
    makeTree(host)
    const { root, path } = rootAt('/workspace', host)
    const paths = [...walk(root, path)].map((found) => found.path).reverse()
    const sha = createHash('sha256').update(await collect(pathsLayer(root, path, paths, OWNER).blocks()))
    expect(sha.digest('hex')).toBe(RECORDED.slice)
  })

  test('no paths make an empty tar, without parents', async () => {
    const { root, path } = rootAt('/workspace', temporaryDirectory())
    expect(await collect(pathsLayer(root, path, [], OWNER).blocks())).toEqual(Buffer.alloc(1024))
  })

  test('launcher and process types', async () => {
    const root0 = { uid: 0, gid: 0 }
    const source = entriesLayer([
      { type: 'directory', name: '/cnb', mode: 0o755, ...root0 },
      { type: 'directory', name: '/cnb/lifecycle', mode: 0o755, ...root0 },
      {
        type: 'file',
        name: '/cnb/lifecycle/launcher',
        mode: 0o755,
        ...root0,
        content: Buffer.from('launcher'),
      },
      {
        type: 'symlink',
        name: '/cnb/process/web',
        mode: 0o755,
        ...root0,
        linkname: '/cnb/lifecycle/launcher',
      },
    ])
    const sha = createHash('sha256').update(await collect(source.blocks()))
    expect(sha.digest('hex')).toBe(RECORDED.launcher)
  })
})

describe('owners', () => {
  test('are the given ones, and conventional above the layer, whatever the machine says', async () => {
    const host = temporaryDirectory()
    mkdirSync(`${host}/opt/layers/bp/l`, { recursive: true })
    chmodSync(`${host}/opt/layers/bp`, 0o700)
    chmodSync(`${host}/opt`, 0o711)
    writeFileSync(`${host}/opt/layers/bp/l/file`, '')
    const owner = { ...OWNER, owned: [containerPath('/opt/layers')] }
    const entries = await listing(
      directoryLayer(mountedRoot(host, []), containerPath('/opt/layers/bp/l'), owner),
    )
    expect(entries.map(({ entry }) => [entry.name, entry.uid, entry.gid, entry.mode & 0o700])).toEqual([
      ['/opt', 0, 0, 0o700],
      ['/opt/layers', 1000, 1001, 0o700],
      ['/opt/layers/bp', 1000, 1001, 0o700],
      ['/opt/layers/bp/l', 1000, 1001, 0o700],
      ['/opt/layers/bp/l/file', 1000, 1001, 0o600],
    ])
    expect(entries.slice(0, 3).map(({ entry }) => entry.mode)).toEqual([0o755, 0o755, 0o755])
  })

  test('a directory right below / has no parents in its layer', async () => {
    const { root, path } = rootAt('/workspace', temporaryDirectory())
    expect((await listing(directoryLayer(root, path, OWNER))).map(({ entry }) => entry.name)).toEqual([
      '/workspace',
    ])
  })
})

test('a link is a link, also at the top, and never followed', async () => {
  const host = temporaryDirectory()
  mkdirSync(`${host}/real`)
  writeFileSync(`${host}/real/file`, '')
  symlinkSync('real', `${host}/layer`)
  const [only, ...others] = await listing(
    directoryLayer(mountedRoot(host, []), containerPath('/layer'), OWNER),
  )
  expect(only?.entry).toMatchObject({ type: 'symlink', linkname: 'real' })
  expect(others).toEqual([])
})

test('a slice does not reach through a link', async () => {
  const host = temporaryDirectory()
  const secret = temporaryDirectory()
  writeFileSync(`${secret}/key`, 'secret')
  symlinkSync(secret, `${host}/link`)
  const { root, path } = rootAt('/workspace', host)
  const paths = ['/workspace', '/workspace/link', '/workspace/link/key'].map(containerPath)
  await expect(listing(pathsLayer(root, path, paths, OWNER))).rejects.toMatchObject({
    code: 'OCI_PATH_ORPHAN',
  })
  await expect(listing(pathsLayer(root, path, [containerPath('/etc/passwd')], OWNER))).rejects.toMatchObject({
    code: 'OCI_PATH_ORPHAN',
  })
})

test('sockets are left out', async () => {
  const host = temporaryDirectory()
  writeFileSync(`${host}/z`, '')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${host}/socket`, resolve))
  const { root, path } = rootAt('/l', host)
  const names = (await listing(directoryLayer(root, path, OWNER))).map(({ entry }) => entry.name)
  server.close()
  expect(names).toEqual(['/l', '/l/z'])
})

describe('a file that changes while it is read', () => {
  /** Lets the layer be read up to the file, by a first entry that fills a block. */
  async function changing(change: (file: string) => void, size = 10) {
    const host = temporaryDirectory()
    writeFileSync(`${host}/a`, Buffer.alloc(2 << 20))
    writeFileSync(`${host}/b`, Buffer.alloc(size))
    const { root, path } = rootAt('/l', host)
    // The size is that of the directory's listing, so change it between looking and reading: by a second look.
    const entries = [...walk(root, path)]
    change(`${host}/b`)
    const source = entriesLayer(
      entries
        .filter(({ stats }) => stats.isFile())
        .map((found) => ({
          type: 'file',
          name: found.path,
          mode: 0o644,
          uid: 0,
          gid: 0,
          content: { host: found.host, size: found.stats.size },
        })),
    )
    return listing(source).then(
      () => 'read',
      (error: unknown) => error,
    )
  }

  test.each([10, 1 << 20, (1 << 20) - 512 - 1536, 3 << 20])(
    '%i bytes: longer, shorter, gone, a link',
    async (size) => {
      const expected = { code: 'OCI_FILE_CHANGED', subject: expect.stringMatching(/\/b$/) }
      expect(await changing(() => {}, size)).toBe('read')
      expect(await changing((file) => appendFileSync(file, 'x'), size)).toMatchObject(expected)
      expect(await changing((file) => truncateSync(file, size - 1), size)).toMatchObject(expected)
      expect(await changing((file) => unlinkSync(file), size)).toMatchObject(expected)
      expect(
        await changing((file) => {
          unlinkSync(file)
          symlinkSync('/etc/passwd', file)
        }, size),
      ).toMatchObject(expected)
    },
  )
})

test('what is missing is named', async () => {
  const { root } = rootAt('/l', temporaryDirectory())
  await expect(listing(directoryLayer(root, containerPath('/l/none'), OWNER))).rejects.toMatchObject({
    code: 'OCI_LAYER_MISSING',
  })
})

test('what may not be read is named; root may read everything', async () => {
  const host = temporaryDirectory()
  writeFileSync(`${host}/closed`, 'x', { mode: 0 })
  const { root, path } = rootAt('/l', host)
  const read = listing(directoryLayer(root, path, OWNER))
  if (process.getuid?.() === 0) expect(await read).toHaveLength(2)
  else await expect(read).rejects.toMatchObject({ code: 'OCI_FILE_UNREADABLE', subject: `${host}/closed` })
})

test('a block stays valid as long as the source says', () => {
  const host = temporaryDirectory()
  writeFileSync(`${host}/big`, Buffer.alloc(20 << 20, 1))
  const { root, path } = rootAt('/l', host)
  const source = directoryLayer(root, path, OWNER)
  const held: { block: Uint8Array; sha: string }[] = []
  const hash = (block: Uint8Array) => createHash('sha256').update(block).digest('hex')
  for (const block of source.blocks() as Iterable<Uint8Array>) {
    held.push({ block, sha: hash(block) })
    if (held.length > (source.blocksValid ?? 0) + 1) held.shift()
    for (const earlier of held) expect(hash(earlier.block)).toBe(earlier.sha)
  }
})

test('no file stays open when nobody reads on', () => {
  const host = temporaryDirectory()
  writeFileSync(`${host}/big`, Buffer.alloc(5 << 20, 1))
  const { root, path } = rootAt('/l', host)
  for (const _ of directoryLayer(root, path, OWNER).blocks() as Iterable<Uint8Array>) break
  rmSync(hostBytes(`${host}/big`))
})
