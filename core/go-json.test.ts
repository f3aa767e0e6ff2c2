import { expect, test } from 'vitest'
import { goJson, goMap } from './go-json.ts'

test('structs keep their order, maps are sorted by bytes, absent fields go', () => {
  expect(
    goJson({
      b: 1n,
      a: undefined,
      c: goMap({ '\u{1f600}': 1, '\uffff': 2, Z: [], a: null, gone: undefined }),
    }),
  ).toBe('{"b":1,"c":{"Z":[],"a":null,"\uffff":2,"\u{1f600}":1}}')
})

test('strings are escaped as Go does', () => {
  expect(goJson('<a> & \u2028\u2029 \b\f\n\r\t\x01\x7f "\\" é \ud800')).toBe(
    '"\\u003ca\\u003e \\u0026 \\u2028\\u2029 \\b\\f\\n\\r\\t\\u0001\x7f \\"\\\\\\" é \\ufffd"',
  )
})

test('numbers', () => {
  expect(goJson(goMap([{ b: { d: 1, c: 2 }, a: 3 }]))).toBe('[{"a":3,"b":{"c":2,"d":1}}]')
  expect(goJson([1, 1.5, -0, 1e20, 1e21, 1e-6, 1e-7, 9223372036854775807n])).toBe(
    '[1,1.5,-0,100000000000000000000,1e+21,0.000001,1e-7,9223372036854775807]',
  )
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, () => 1]) {
    expect(() => goJson(value)).toThrow(expect.objectContaining({ code: 'CORE_JSON_UNWRITABLE' }))
  }
})

test('half a surrogate pair becomes an escaped replacement character, as Go does with invalid UTF-8', () => {
  expect(goJson('a\ud800b\udc00\\ud800')).toBe('"a\\ufffdb\\ufffd\\\\ud800"')
})

test('keys of a map are sorted by their UTF-8 bytes, not by UTF-16 units', () => {
  // U+FF5E is EF BD 9E in UTF-8, U+1F600 is F0 9F 98 80, though its first UTF-16 unit (D83D) is the smaller.
  expect(goJson(goMap({ '😀': 1, '～': 2 }))).toBe('{"～":2,"😀":1}')
})
