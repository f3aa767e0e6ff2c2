import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listTar } from '../testing/packages.ts'
import { treeLayer } from './layer.ts'
import { openSpool, type Spool } from './spool.ts'
import { FileTree, type Node } from './tree.ts'

let directory: string
let spool: Spool
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'layer-'))
  spool = openSpool(join(directory, 'spool'))
})
afterAll(() => {
  spool[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

function spooled(bytes: Uint8Array): Node {
  const range = spool.reserve(bytes.length)
  spool.write(range, 0, bytes)
  return { type: 'file', content: range, mode: 0o644, uid: 0, gid: 0 }
}

test('the spool has no name, and bytes of several files may be written in turn', () => {
  expect(readdirSync(directory)).toEqual([])
  const [a, b] = [spool.reserve(4), spool.reserve(4)]
  spool.write(a, 0, Buffer.from('ab'))
  spool.write(b, 0, Buffer.from('1234'))
  spool.write(a, 2, Buffer.from('cd'))
  expect([spool.bytes(a), spool.bytes(b)].map((bytes) => Buffer.from(bytes).toString())).toEqual([
    'abcd',
    '1234',
  ])
  expect(() => spool.bytes({ offset: 1_000_000_000, size: 1 })).toThrow(
    expect.objectContaining({ code: 'BUILDERS_SPOOL_SHORT' }),
  )
})

test('a layer holds what the tree holds, whatever the sizes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 4 }), async (sizes) => {
      const tree = new FileTree()
      const sums = new Map<string, string>()
      for (const [at, size] of sizes.entries()) {
        const bytes = Buffer.alloc(size, `content ${at} `)
        const node: Node =
          at % 2 === 0 ? spooled(bytes) : { type: 'file', content: bytes, mode: 0o755, uid: 1, gid: 2 }
        tree.add(`d/${at}`, node, 'one')
        sums.set(`d/${at}`, createHash('sha256').update(bytes).digest('hex'))
      }
      const listed = await listTar(treeLayer(tree, spool).blocks())
      const found = [...listed].filter(([name]) => name !== 'd/')
      expect(
        new Map(
          found.map(([name, { content }]) => [name, createHash('sha256').update(content).digest('hex')]),
        ),
      ).toEqual(sums)
    }),
    { numRuns: 10 },
  )
})

test('every kind of entry is written with its attributes and one time', async () => {
  const tree = new FileTree()
  const owner = { uid: 8, gid: 9 }
  tree.add('dir', { type: 'directory', mode: 0o1777, ...owner }, 'one')
  tree.add('dir/file', { type: 'file', content: Buffer.from('x'), mode: 0o640, ...owner }, 'one')
  tree.add('dir/hard', { type: 'hardlink', target: 'dir/file', mode: 0o640, ...owner }, 'one')
  tree.add('dir/soft', { type: 'symlink', target: '/x', mode: 0o777, ...owner }, 'one')
  tree.add('dir/\xc3\xa9', { type: 'file', content: Buffer.from(''), mode: 0o644, ...owner }, 'one')
  const listed = await listTar(treeLayer(tree, spool).blocks())
  const fields = { ...owner, mtime: 315_532_801 }
  expect([...listed.values()].map(({ entry }) => entry)).toMatchObject([
    { name: 'dir/', type: 'directory', mode: 0o1777, ...fields },
    { name: 'dir/file', type: 'file', mode: 0o640, size: 1, ...fields },
    { name: 'dir/hard', type: 'hardlink', linkname: 'dir/file', mode: 0o640, ...fields },
    { name: 'dir/soft', type: 'symlink', linkname: '/x', ...fields },
    { name: 'dir/\xc3\xa9', type: 'file', ...fields },
  ])
})

test('gives the same bytes every time', () => {
  const tree = new FileTree()
  tree.add('a', spooled(Buffer.alloc(2_500_000, 'x')), 'one')
  const layer = treeLayer(tree, spool)
  const sum = () => {
    const hash = createHash('sha256')
    for (const block of layer.blocks() as Iterable<Uint8Array>) hash.update(block)
    return hash.digest('hex')
  }
  expect(sum()).toBe(sum())
})
