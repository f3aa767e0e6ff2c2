import { expect, test } from 'vitest'
import { jsonToToml, parseJson, tomlToJson } from './json.ts'

const source = { file: 'label x' }
const parse = (text: string) => parseJson(text, source)

test('integers keep their digits, everything else with a point or exponent is a float', () => {
  expect(parse('[9223372036854775807, 1.0, 1e2, -0, 0, -5, true, null]')).toEqual([
    9223372036854775807n,
    1,
    100,
    -0,
    0n,
    -5n,
    true,
    null,
  ])
})

test('__proto__ is a key like any other', () => {
  const parsed = parse('{"__proto__": {"a": 1}}') as object
  expect(Object.keys(parsed)).toEqual(['__proto__'])
  expect(({} as { a?: unknown }).a).toBeUndefined()
})

test.each([
  ['{', 'SPEC_JSON_SYNTAX'],
  ['', 'SPEC_JSON_SYNTAX'],
  ['['.repeat(100_000), 'SPEC_JSON_SYNTAX'],
  [`${'['.repeat(101)}${']'.repeat(101)}`, 'SPEC_JSON_SYNTAX'],
])('refuses %.10s', (text, code) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code, subject: 'label x' }))
})

test('brackets in strings are no depth', () => {
  expect(parse(JSON.stringify({ a: '\\"[{'.repeat(1000) }))).toEqual({ a: '\\"[{'.repeat(1000) })
})

test('long strings and long numbers', () => {
  const text = 'a'.repeat(8_000_000)
  expect(parse(JSON.stringify([text]))).toEqual([text])
  expect(() => parse(`"${text}`)).toThrow(expect.objectContaining({ code: 'SPEC_JSON_SYNTAX' }))
  expect(parse('[123456789012345678901234567890]')).toEqual([1.2345678901234568e29])
  expect(() => parse('1e400')).toThrow(expect.objectContaining({ code: 'SPEC_JSON_SYNTAX' }))
})

test('a text over the limit', () => {
  expect(() => parseJson('[1,2,3]', { ...source, maxLength: 3 })).toThrow(
    expect.objectContaining({ code: 'SPEC_FILE_TOO_LARGE' }),
  )
})

test('metadata from a label: null goes, integers that TOML cannot hold become floats', () => {
  expect(jsonToToml(parse('{"a": null, "b": 9223372036854775808, "c": [1, 2.5]}'), source)).toEqual({
    b: 2 ** 63,
    c: [1n, 2.5],
  })
  expect(() => jsonToToml(parse('[null]'), source)).toThrow(
    expect.objectContaining({ code: 'SPEC_FILE_INVALID' }),
  )
  expect(jsonToToml(null, source)).toBeUndefined()
})

test('numbers that JSON has not are refused when they are written, not before', () => {
  expect(tomlToJson(Number.NaN)).toBeNaN()
})
