import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { parseToml } from './parse.ts'
import { TomlDateTime } from './value.ts'

const parse = (text: string, maxLength?: number) =>
  parseToml(text, { file: '/layers/x.toml', ...(maxLength === undefined ? {} : { maxLength }) })

const failure = (run: () => unknown): SlipwayError => {
  try {
    run()
  } catch (error) {
    if (error instanceof SlipwayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('values', () => {
  test('integers are bigints, floats numbers', () => {
    expect(
      parse('a = 1\nb = 1.0\nc = 9223372036854775807\nd = -9223372036854775808\ne = 0xff\nf = 1_000'),
    ).toEqual({
      a: 1n,
      b: 1,
      c: 9223372036854775807n,
      d: -9223372036854775808n,
      e: 255n,
      f: 1000n,
    })
  })

  test('dates keep their text wherever they stand', () => {
    const text = `
1979-05-27 = "1979-05-27T07:32:00Z" # 1980-01-01
a = 1979-05-27T07:32:00.123456789-07:00
b = [1979-05-27 07:32:00, # 1
  07:32:00.999999999, { c = 1979-05-27, 1980-01-01 = 07:32:00, d = {} }, 1981-01-01]
["07:32:00 = 1".'1979-05-27']
e = """
f = 1979-05-27 \\""" """
g = '''1979-05-27''''' # "
h = 1979-05-27t07:32:00z
[[1979-05-27]]
[["[".i]]
j = 00:00:00`
      .trimStart()
      .replace('[[1979-05-27]]\n', '')
    const date = (value: string, kind: TomlDateTime['kind']) => new TomlDateTime(value, kind)
    expect(parse(text)).toEqual({
      '1979-05-27': '1979-05-27T07:32:00Z',
      a: date('1979-05-27T07:32:00.123456789-07:00', 'offset-date-time'),
      b: [
        date('1979-05-27 07:32:00', 'local-date-time'),
        date('07:32:00.999999999', 'local-time'),
        { c: date('1979-05-27', 'local-date'), '1980-01-01': date('07:32:00', 'local-time'), d: {} },
        date('1981-01-01', 'local-date'),
      ],
      '07:32:00 = 1': {
        '1979-05-27': {
          e: 'f = 1979-05-27 """ ',
          g: "1979-05-27''",
          h: date('1979-05-27t07:32:00z', 'offset-date-time'),
        },
      },
      '[': { i: [{ j: date('00:00:00', 'local-time') }] },
    })
  })

  test('__proto__ is a key like any other', () => {
    const table = parse('[__proto__]\npolluted = true\n[constructor.prototype]\nx = 1')
    expect(Object.keys(table)).toEqual(['__proto__', 'constructor'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('errors', () => {
  test('name file, line, column, reason and the line', () => {
    const error = failure(() => parse('a = 1\n  b = = 2\n'))
    expect(error.code).toBe('SPEC_TOML_SYNTAX')
    expect(error.subject).toBe('/layers/x.toml')
    expect(error.message).toMatch(/^toml: line 2: .+ \(\/layers\/x\.toml:2:\d+: b = = 2\)$/)
  })

  test('a key that is there twice', () => {
    expect(failure(() => parse('a = 1\na = 2')).message).toMatch(/x\.toml:2:/)
  })

  test('a long line is cut', () => {
    expect(failure(() => parse(`a = ${'x'.repeat(10_000)}`)).message.length).toBeLessThan(300)
  })

  test('an integer outside of int64', () => {
    expect(failure(() => parse('a = 9223372036854775808')).code).toBe('SPEC_TOML_SYNTAX')
  })

  test('a text over the limit of the caller', () => {
    expect(failure(() => parse('a = 1', 4)).code).toBe('SPEC_FILE_TOO_LARGE')
  })

  test.each([
    ['arrays', `a = ${'['.repeat(5000)}`],
    ['inline tables', `a = ${'{a='.repeat(5000)}`],
    ['dotted keys', `${'a.'.repeat(5000)}a = 1`],
    ['headers', `[${'a.'.repeat(5000)}a]`],
  ])('%s nested without end', (_, text) => {
    expect(failure(() => parse(text)).code).toBe('SPEC_TOML_SYNTAX')
  })

  test('arbitrary text gives a table or a SlipwayError', () => {
    const pieces = fc.constantFrom(
      'a',
      '=',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '"""',
      '\n',
      ',',
      '.',
      '1',
      '1979-05-27',
      '07:32:00',
      '#',
      '\\',
      ' ',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 40 }).map((list) => list.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

test.each([
  ['1979-05-27T07:32:00.120-07:00', 'offset-date-time', '1979-05-27T07:32:00.12-07:00'],
  ['1979-05-27 07:32:00z', 'offset-date-time', '1979-05-27T07:32:00Z'],
  ['1979-05-27T07:32:00+00:00', 'offset-date-time', '1979-05-27T07:32:00Z'],
  ['1979-05-27T07:32', 'local-date-time', '1979-05-27T07:32:00Z'],
  ['1979-05-27T07:32:00.000', 'local-date-time', '1979-05-27T07:32:00Z'],
  ['1979-05-27', 'local-date', '1979-05-27T00:00:00Z'],
  ['07:32:00.5', 'local-time', '0000-01-01T07:32:00.5Z'],
] as const)('%s in the JSON of Go', (text, kind, expected) => {
  expect(new TomlDateTime(text, kind).toGoText()).toBe(expected)
})
