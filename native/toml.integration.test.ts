/**
 * The TOML reader, compiled with gcc's checks for memory and undefined behaviour, against another one: on documents that are
 * right, nearly right and wrong.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROGRAMS } from './build.mjs'
import { compileWithChecks } from './testing/programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'slipway-toml-'))
const NO_LEAKS = { ASAN_OPTIONS: 'detect_leaks=0' }
let dump = ''
beforeAll(() => {
  const reader = PROGRAMS.launcher.filter((file) => file.startsWith('toml') || file === 'base.c')
  dump = compileWithChecks(folder, 'toml-dump', ['../testing/toml-dump.c', ...reader])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the TOML reader', () => {
  /** What it reads of each document: the value, or the error as a string. */
  function read(documents: readonly Uint8Array[]): unknown[] {
    const input = documents.flatMap((document) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(document.length)
      return [length, document]
    })
    const { stdout, stderr, status } = spawnSync(dump, [], {
      input: Buffer.concat(input),
      env: NO_LEAKS,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    expect([stderr, status]).toEqual(['', 0])
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  /** What the other reader makes of it, in the same form: numbers and dates are compared by kind alone. */
  function expected(text: string): unknown {
    try {
      return plain(parse(text, { integersAsBigInt: true }))
    } catch {
      return 'refused'
    }
  }

  const comparable = (value: unknown): unknown => (typeof value === 'string' ? 'refused' : kinds(value))

  test.each([
    ['a.b = 1\n[a]\n', 'line 2: a table that is defined already'],
    ['[a.b]\n[a]\nb.c = 1', 'line 3: a key that is defined already'],
    ['a = {b = 1}\n[a.c]', 'line 2: a table that was complete where it was defined'],
    ['a = [{}]\n[[a]]', 'line 2: an array of tables whose name is defined already'],
    ['[[a]]\n[a]', 'line 2: a table that is defined already'],
    ['a = 1\n[a.b]', 'line 2: a header below a key that is no table'],
    ['a = """\n\n\n', 'line 4: a string that is not closed'],
    ["a = 'x\n'", 'line 1: a string that is not closed on its line'],
    ['\n\na = "\\q"', 'line 3: an unknown escape in a string'],
    ['a = "\\ud800"', 'line 1: an escape that is no Unicode character'],
    ['a = 9223372036854775808', 'line 1: an integer beyond 64 bits'],
    ['a = 2023-02-29', 'line 1: a date or time of day that does not exist'],
    ['a = 01', 'line 1: a number with a leading zero'],
    ['a = 1 b = 2', 'line 1: expected the end of the line'],
    ['a', 'line 1: expected `=` behind a key'],
    ['a = [1 2]', 'line 1: expected `,` or `]` in an array'],
    ['[a', 'line 1: expected `]`'],
    ['a = 1 # \x01', 'line 1: a control character in a comment'],
    [`a = ${'['.repeat(200)}`, 'line 1: values nested too deeply'],
    [`${'a.'.repeat(200)}a = 1`, 'line 1: values nested too deeply'],
  ])('refuses %j', (text, message) => {
    expect(read([Buffer.from(text)])).toEqual([message])
  })

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]], [[0xe2, 0x82]]])(
    'refuses the bytes %j, which are no UTF-8',
    (bytes) => {
      const document = Buffer.concat([Buffer.from('\na = "'), Buffer.from(bytes), Buffer.from('"')])
      expect(read([document])).toEqual(['line 2: bytes that are not UTF-8'])
    },
  )

  test('reads every form of every value', () => {
    const text = `\ufeff# comment
bare-key_1 = "a\\tb\\u00e9\\U0001F600\\x41\\e" # comment
"quoted key" = 'C:\\path'
'' = """
two
lines \\
    joined ""quoted"""""
literal = '''
as \\it is'''
dotted . "key" = true
integers = [+1_000, -0, 0xDEAD_beef, 0o17, 0b1_0, ]
floats = [1.5, -1e10, 6.0E+2_3, inf, -nan]
dates = [1979-05-27T07:32:00Z, 1979-05-27 07:32:00.5-07:00, 1979-05-27, 07:32, 23:59:60]
inline = { a.b = 1, "c" = [ { } ], }
[table . sub]
x = false
[[table.list]]
y = 1
[table.list.inner]
[[table.list]]
`
    expect(read([Buffer.from(text)])).toEqual([
      {
        'bare-key_1': 'a\tbé😀A\x1b',
        'quoted key': 'C:\\path',
        '': 'two\nlines joined ""quoted""',
        literal: 'as \\it is',
        dotted: { key: { 'a boolean': 'true' } },
        integers: ['+1_000', '-0', '0xDEAD_beef', '0o17', '0b1_0'].map((text) => ({ 'an integer': text })),
        floats: ['1.5', '-1e10', '6.0E+2_3', 'inf', '-nan'].map((text) => ({ 'a float': text })),
        dates: ['1979-05-27T07:32:00Z', '1979-05-27 07:32:00.5-07:00', '1979-05-27', '07:32', '23:59:60'].map(
          (text) => ({ 'a date': text }),
        ),
        inline: { a: { b: { 'an integer': '1' } }, c: [{}] },
        table: { sub: { x: { 'a boolean': 'false' } }, list: [{ y: { 'an integer': '1' }, inner: {} }, {}] },
      },
    ])
  })

  const key = fc.constantFrom('a', 'b', '"a"', "'c d'", 'a.b', 'a . "b".c', 'b.a')
  const scalar = fc.constantFrom(
    ...[
      '"x"',
      '"\\u00e9\\n"',
      "'lit'",
      '"""\nm\n"""',
      "'''l'''",
      '1',
      '-0',
      '0xff',
      '1_0',
      '1.5',
      '1e3',
      'inf',
      'nan',
    ],
    ...[
      'true',
      '1979-05-27',
      '07:32:00',
      '1979-05-27T07:32:00Z',
      '1979-05-27 07:32:00.1',
      '"\\\\"',
      '""',
      '"""a""b"""',
    ],
    ...[
      '01',
      '1__0',
      '1.',
      '.5',
      '0b2',
      'True',
      '"\\q"',
      '1979-13-01',
      '25:00:00',
      "'''",
      '+0x1',
      '1e',
      '_1',
    ],
  )
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      scalar,
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 2 })
        .map((pairs) => `{ ${pairs.map((pair) => pair.join(' = ')).join(', ')} }`),
    ),
  }))
  const line = fc.oneof(
    { arbitrary: fc.tuple(key, value).map((pair) => pair.join(' = ')), weight: 4 },
    { arbitrary: key.map((name) => `[${name}]`), weight: 2 },
    { arbitrary: key.map((name) => `[[ ${name} ]]`), weight: 2 },
    { arbitrary: fc.constantFrom('', '# comment', '  # é', 'a', '=', ']'), weight: 1 },
  )
  const documents = fc.array(line, { maxLength: 6 }).map((lines) => `${lines.join('\n')}\n`)

  // The other one lets a dotted key add to a table that stands above an array of tables (`[[a.b.c]]`, then `b.x` in `[a]`);
  // above a table (`[a.b.c]`) it refuses that, as the specification wants in both cases.
  test('agrees with another reader', () => {
    const texts = fc.sample(documents, 50_000)
    const found = read(texts.map((text) => Buffer.from(text)))
    let accepted = 0
    texts.forEach((text, index) => {
      const value = comparable(found[index])
      if (value !== 'refused') accepted++
      else if (/defined already/.test(String(found[index])) && text.includes('[[')) return
      expect(value, text).toEqual(expected(text))
    })
    expect(accepted).toBeGreaterThan(1000)
  })

  test('survives whatever it is given', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .string({ unit: fc.constantFrom(...'ab"\'[]{}=.,#\\ \n\r\t0123-:T_ux+e'), maxLength: 60 })
        .map((text) => Buffer.from(text)),
      fc.tuple(documents, fc.nat(), fc.uint8Array({ maxLength: 3 })).map(([text, at, bytes]) => {
        const whole = Buffer.from(text)
        const cut = at % (whole.length + 1)
        return Buffer.concat([whole.subarray(0, cut), bytes, whole.subarray(cut + (at % 3))])
      }),
    )
    const inputs = fc.sample(noise, 50_000)
    expect(read(inputs)).toHaveLength(inputs.length)
  })
})

/** The other reader's values with each number, boolean and date as its kind. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return 'an integer'
  if (typeof value === 'number') return 'a float'
  if (typeof value === 'boolean') return 'a boolean'
  if (value instanceof Date) return 'a date'
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value as object).map(([name, inner]) => [name, plain(inner)]))
}

/** Ours in the same form. */
function kinds(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(kinds)
  const entries = Object.entries(value as object)
  const [name] = entries[0] ?? []
  if (name !== undefined && /^an? (?:integer|float|boolean|date)$/.test(name)) return name
  return Object.fromEntries(entries.map(([name, inner]) => [name, kinds(inner)]))
}
