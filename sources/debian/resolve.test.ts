import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packageIndex } from './packages.ts'
import { type ResolveRequest, resolve } from './resolve.ts'

/** `name version; Field: value; …` */
function stanza(line: string): string {
  const [head = '', ...fields] = line.split(';').map((part) => part.trim())
  const [name, version = '1'] = head.split(' ')
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: amd64',
    ...fields,
    `Filename: pool/${name}_${version}.deb`,
    'Size: 10',
    `SHA256: ${'0'.repeat(64)}`,
    'Description: text',
    ' more text',
    '',
    '',
  ].join('\n')
}

function index(...lines: string[]) {
  return packageIndex([{ archive: 'main', text: Buffer.from(lines.map(stanza).join('')) }])
}

function names(lines: string[], packages: string[], exclude: string[] = []): string[] {
  return resolve(index(...lines), { packages, exclude }).map(({ name, version }) => `${name} ${version}`)
}

test('follows Depends and Pre-Depends, not Recommends, in any circle', () => {
  const lines = ['a; Depends: b (>= 1); Recommends: x', 'b; Pre-Depends: c', 'c; Depends: a', 'x']
  expect(names(lines, ['a'])).toEqual(['a 1', 'b 1', 'c 1'])
})

test('takes the newest version that fits', () => {
  const lines = ['a; Depends: b (<< 3), c', 'b 1', 'b 3', 'b 2', 'c 1:0', 'c 9']
  expect(names(lines, ['a'])).toEqual(['a 1', 'b 2', 'c 1:0'])
})

test.each([
  ['the first that exists', ['a'], ['a 1', 'y 1']],
  ['one that is asked for', ['a', 'z'], ['a 1', 'z 1']],
  ['one that is needed anyway', ['b'], ['a 1', 'b 1', 'z 1']],
])('of alternatives takes %s', (_, packages, expected) => {
  expect(names(['a; Depends: missing | y | z', 'b; Depends: z, a', 'y', 'z'], packages)).toEqual(expected)
})

test('a virtual package is met by who provides it, the more important one first', () => {
  const lines = [
    'a; Depends: awk',
    'gawk; Provides: awk',
    'mawk; Provides: awk; Priority: required',
    'bawk; Provides: bawk-awk',
  ]
  expect(names(lines, ['a'])).toEqual(['a 1', 'mawk 1'])
  expect(names(lines, ['a', 'gawk'])).toEqual(['a 1', 'gawk 1'])
  expect(names(lines, ['a'], ['mawk'])).toEqual(['a 1', 'gawk 1'])
})

test('a version is met only by a provider that names one', () => {
  const lines = ['a; Depends: v (>= 2)', 'old; Provides: v', 'new; Provides: v (= 2.1)']
  expect(names(lines, ['a'])).toEqual(['a 1', 'new 1'])
})

test('what is excluded is not taken, and nothing is missing without it', () => {
  const lines = ['a; Depends: b, c (>= 9)', 'b; Depends: d', 'd', 'c 1']
  expect(names(lines, ['a'], ['b', 'c'])).toEqual(['a 1'])
})

test.each([
  [
    'a dependency',
    ['a; Depends: nowhere (>= 2)'],
    ['a'],
    'nowhere',
    'no package for nowhere (>= 2), which a 1 needs',
  ],
  ['a version', ['a; Depends: b (>= 2)', 'b 1'], ['a'], 'b', 'no package for b (>= 2), which a 1 needs'],
  ['what is asked for', ['a'], ['zz'], 'zz', 'no package for zz, which the list of packages needs'],
])('a missing %s is a clear error', (_, lines, packages, subject, message) => {
  expect(() => names(lines, packages)).toThrow(
    expect.objectContaining({ code: 'SOURCE_DEBIAN_PACKAGE_MISSING', subject, message }),
  )
})

test('packages that exclude one another are an error', () => {
  const lines = [
    'a; Conflicts: v',
    'b; Provides: v',
    'c; Breaks: d (<< 2)',
    'd 1',
    'e; Conflicts: e-old; Provides: e-old',
  ]
  expect(() => names(lines, ['a', 'b'])).toThrow(expect.objectContaining({ code: 'SOURCE_DEBIAN_CONFLICT' }))
  expect(() => names(lines, ['c', 'd'])).toThrow(expect.objectContaining({ code: 'SOURCE_DEBIAN_CONFLICT' }))
  expect(names(lines, ['e'])).toEqual(['e 1'])
})

test('the order in which packages are asked for does not matter, and every dependency is there', () => {
  const letters = ['a', 'b', 'c', 'd', 'e', 'f']
  const graph = fc.array(fc.subarray(letters, { maxLength: 3 }), { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(graph, fc.subarray(letters, { minLength: 1 }), (edges, wanted) => {
      const lines = letters.map((name, at) => {
        const others = edges[at] ?? []
        return others.length === 0 ? name : `${name}; Depends: ${others.join(', ')}`
      })
      const request: ResolveRequest = { packages: wanted, exclude: [] }
      const found = resolve(index(...lines), request).map(({ name }) => name)
      expect(
        resolve(index(...lines), { ...request, packages: wanted.toReversed() }).map(({ name }) => name),
      ).toEqual(found)
      for (const name of found)
        expect(found).toEqual(expect.arrayContaining(edges[letters.indexOf(name)] ?? []))
    }),
  )
})
