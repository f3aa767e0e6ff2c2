import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FileTree, type Node, treePath } from './tree.ts'

const attributes = { mode: 0o644, uid: 0, gid: 0 }
const file = (text: string): Node => ({ type: 'file', content: Buffer.from(text), ...attributes })
const directory: Node = { type: 'directory', mode: 0o700, uid: 1, gid: 1 }
const link = (target: string): Node => ({ type: 'symlink', target, ...attributes })
const hardlink = (target: string): Node => ({ type: 'hardlink', target, ...attributes })

test.each([
  ['./usr/bin/x', 'usr/bin/x'],
  ['/bin/sh', 'usr/bin/sh'],
  ['./lib64/ld.so', 'usr/lib64/ld.so'],
  ['./lib', 'lib'],
  ['.//a/./b/', 'a/b'],
  ['./', ''],
])('the path of %s is %s', (name, path) => {
  expect(treePath(name, 'pkg')).toBe(path)
})

test.each(['../etc/passwd', './a/../../b', 'a\0b'])('no package may hold %j', (name) => {
  expect(() => treePath(name, 'pkg')).toThrow(
    expect.objectContaining({ code: 'BUILDERS_PATH_INVALID', subject: 'pkg' }),
  )
})

test('a path never leads out', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        expect(treePath(name, 'pkg').split('/')).not.toContain('..')
      } catch (error) {
        expect(error).toMatchObject({ code: 'BUILDERS_PATH_INVALID' })
      }
    }),
  )
})

test('packages share directories and equal links, and nothing else', () => {
  const tree = new FileTree()
  tree.add('usr', directory, 'one')
  tree.add('usr', { ...directory, mode: 0o755 }, 'two')
  tree.add('usr/l', link('x'), 'one')
  tree.add('usr/l', link('x'), 'two')
  expect(tree.get('usr')).toEqual(directory)
  tree.add('usr/f', file('a'), 'one')
  for (const [path, node] of [
    ['usr/f', file('a')],
    ['usr/l', link('y')],
    ['usr', file('x')],
  ] as const) {
    expect(() => tree.add(path, node, 'two')).toThrow(
      expect.objectContaining({ code: 'BUILDERS_FILE_CONFLICT', message: expect.stringMatching(/one.*two/) }),
    )
  }
})

test('entries come sorted by components, with parents', () => {
  const tree = new FileTree()
  for (const path of ['b', 'a/x', 'a-b', 'a/x/y', 'a.b/c'])
    tree.add(path, path === 'a/x' ? directory : file(path), 'one')
  expect(tree.entries().map(([path, node]) => [path, node.type, node.mode])).toEqual([
    ['a', 'directory', 0o755],
    ['a/x', 'directory', 0o700],
    ['a/x/y', 'file', 0o644],
    ['a-b', 'file', 0o644],
    ['a.b', 'directory', 0o755],
    ['a.b/c', 'file', 0o644],
    ['b', 'file', 0o644],
  ])
})

test('the first name of a file carries its bytes, whichever the package gave them to', () => {
  const tree = new FileTree()
  tree.add('b', { ...file('content'), mode: 0o755 }, 'one')
  tree.add('a', hardlink('b'), 'one')
  tree.add('c', hardlink('a'), 'one')
  expect(tree.entries()).toEqual([
    ['a', { type: 'file', content: Buffer.from('content'), ...attributes, mode: 0o755 }],
    ['b', { type: 'hardlink', target: 'a', ...attributes, mode: 0o755 }],
    ['c', { type: 'hardlink', target: 'a', ...attributes, mode: 0o755 }],
  ])
})

test.each([
  ['a missing file', (tree: FileTree) => tree.add('a', hardlink('b'), 'one')],
  [
    'each other',
    (tree: FileTree) => {
      tree.add('a', hardlink('b'), 'one')
      tree.add('b', hardlink('a'), 'one')
    },
  ],
  [
    'a link',
    (tree: FileTree) => {
      tree.add('a', hardlink('b'), 'one')
      tree.add('b', link('/etc/passwd'), 'one')
    },
  ],
])('hard links to %s are refused', (_, fill) => {
  const tree = new FileTree()
  fill(tree)
  expect(() => tree.entries()).toThrow(expect.objectContaining({ code: 'BUILDERS_PATH_INVALID' }))
})

test('nothing stands below a link or a file', () => {
  for (const node of [link('/etc'), file('x')]) {
    const tree = new FileTree()
    tree.add('a', node, 'one')
    tree.add('a/b', file('x'), 'two')
    expect(() => tree.entries()).toThrow(
      expect.objectContaining({ code: 'BUILDERS_PATH_INVALID', subject: 'a/b' }),
    )
  }
})

test('follows links as the image would', () => {
  const tree = new FileTree()
  tree.add('usr/bin/x', file('x'), 'one')
  tree.add('bin', link('usr/bin'), 'one')
  tree.add('usr/y', link('../bin/x'), 'one')
  tree.add('z', link('/usr/y'), 'one')
  tree.add('out', link('../../../../usr/bin/x'), 'one')
  tree.add('loop', link('loop'), 'one')
  tree.add('broken', link('nowhere'), 'one')
  expect(
    ['bin/x', 'usr/y', 'z', 'out', 'loop', 'broken', 'missing'].map((path) => tree.resolve(path)),
  ).toEqual(['usr/bin/x', 'usr/bin/x', 'usr/bin/x', 'usr/bin/x', undefined, undefined, undefined])
})
