import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byByteOrder } from '../byte-order.ts'
import { parseToml } from './parse.ts'
import { tomlDocuments } from './testing.ts'
import { tomlTable } from './value.ts'
import { struct, writeToml } from './write.ts'

const reference = (name: string) =>
  readFileSync(new URL(`../fixtures/reference/${name}.toml`, import.meta.url), 'utf8')

describe('the layout of the reference', () => {
  // Maps alone: what Go wrote comes out again from what it parses to.
  test.each(['floats', 'strings', 'shapes', 'store', 'layer-restored', 'store-empty', 'plan-empty'])(
    '%s.toml',
    (name) => {
      const text = reference(name)
      expect(writeToml(parseToml(text, { file: name }))).toBe(text)
    },
  )

  test('fields of a struct keep their order, keys of a map are sorted by bytes', () => {
    const text = writeToml(
      struct({
        b: 1n,
        a: tomlTable([
          ['\u{1f600}', 1n],
          ['\uffff', 2n],
          ['Z', 3n],
          ['a', 4n],
        ]),
      }),
    )
    expect(text).toBe('b = 1\n\n[a]\n  Z = 3\n  a = 4\n  "\uffff" = 2\n  "\u{1f600}" = 1\n')
  })

  test('absent fields are left out, empty arrays and tables are kept', () => {
    expect(writeToml(struct({ a: undefined, b: [], c: tomlTable([]) }))).toBe('b = []\n\n[c]\n')
  })

  test('an integer outside of int64 is refused', () => {
    expect(() => writeToml({ a: 2n ** 63n })).toThrow(
      expect.objectContaining({ code: 'SPEC_TOML_UNWRITABLE' }),
    )
  })
})

test('every document survives writing and reading', () => {
  fc.assert(
    fc.property(tomlDocuments(), (document) => {
      expect(parseToml(writeToml(document), { file: 'x' })).toEqual(document)
    }),
    { numRuns: 300 },
  )
})

test('byte order is that of UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      expect(Math.sign(byByteOrder(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})
