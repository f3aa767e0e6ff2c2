import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fulfils, parseProvides, parseRelations, relationText } from './relations.ts'

test('parses alternatives, versions, architectures and old operators', () => {
  expect(parseRelations('libc6 (>= 2.38), awk | mawk:any (<< 2), perl:any (> 5) ,', 'x')).toEqual([
    [{ name: 'libc6', constraint: { operator: '>=', version: '2.38' } }],
    [{ name: 'awk' }, { name: 'mawk', constraint: { operator: '<<', version: '2' } }],
    [{ name: 'perl', constraint: { operator: '>=', version: '5' } }],
  ])
})

test('parses what a package provides', () => {
  expect(parseProvides('libssl3 (= 3.5.1-1), awk', 'x')).toEqual([
    { name: 'libssl3', version: '3.5.1-1' },
    { name: 'awk' },
  ])
})

test.each(['a b', 'a (1)', 'a (>= 1', '(>= 1)', '../a', 'a | | b'])('refuses %s', (text) => {
  expect(() => parseRelations(text, 'pkg')).toThrow(
    expect.objectContaining({ code: 'SOURCE_DEBIAN_RELATION_INVALID', subject: 'pkg' }),
  )
})

test.each([
  ['1', '<<', [true, false, false]],
  ['1', '<=', [true, true, false]],
  ['1', '=', [false, true, false]],
  ['1', '>=', [false, true, true]],
  ['1', '>>', [false, false, true]],
] as const)('compares with %s %s', (version, operator, expected) => {
  expect(['1~', '1', '1+'].map((there) => fulfils(there, { operator, version }))).toEqual(expected)
})

test('what is written is read again', () => {
  const relation = fc.record({
    name: fc.stringMatching(/^[a-z0-9][a-z0-9+.-]{1,8}$/),
    constraint: fc.record({
      operator: fc.constantFrom('<<', '<=', '=', '>=', '>>'),
      version: fc.stringMatching(/^[0-9][A-Za-z0-9.+~:-]{0,8}$/),
    }),
  })
  fc.assert(
    fc.property(
      fc.array(fc.array(relation, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
      (relations) => {
        const text = relations.map((alternatives) => alternatives.map(relationText).join(' | ')).join(', ')
        expect(parseRelations(text, 'x')).toEqual(relations)
      },
    ),
  )
})
