/** Documents for property tests: every kind of value in every place. */
import fc from 'fast-check'
import { TomlDateTime, type TomlTable, type TomlValue, tomlTable } from './value.ts'

const two = (max: number, min = 0) => fc.integer({ min, max }).map((n) => String(n).padStart(2, '0'))
const dates = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), two(12, 1), two(28, 1))
  .map(([year, month, day]) => `${String(year).padStart(4, '0')}-${month}-${day}`)
const times = fc
  .tuple(two(23), two(59), two(59), fc.option(fc.stringMatching(/^\d{1,9}$/)))
  .map(
    ([hour, minute, second, fraction]) =>
      `${hour}:${minute}:${second}${fraction === null ? '' : `.${fraction}`}`,
  )
const offsets = fc.oneof(
  fc.constantFrom('Z', 'z'),
  fc
    .tuple(fc.constantFrom('+', '-'), two(23), two(59))
    .map(([sign, hour, minute]) => `${sign}${hour}:${minute}`),
)
const separators = fc.constantFrom('T', 't', ' ')

const dateTimes: fc.Arbitrary<TomlDateTime> = fc.oneof(
  fc
    .tuple(dates, separators, times, offsets)
    .map((parts) => new TomlDateTime(parts.join(''), 'offset-date-time')),
  fc.tuple(dates, separators, times).map((parts) => new TomlDateTime(parts.join(''), 'local-date-time')),
  dates.map((text) => new TomlDateTime(text, 'local-date')),
  times.map((text) => new TomlDateTime(text, 'local-time')),
)

const texts = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
  // What the scanner of dates must not take for something else.
  fc.constantFrom(
    '',
    '1979-05-27',
    '"""',
    "'''",
    '# no comment',
    '[a]',
    'a = 07:32:00',
    '\\',
    '}, {',
    '__proto__',
  ),
)

const scalars: fc.Arbitrary<TomlValue> = fc.oneof(
  texts,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 0n),
  fc.double(),
  fc.constantFrom(1, 0, -0, 1e6, 1e21, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.boolean(),
  dateTimes,
)

const keys = fc.oneof(
  texts,
  fc.constantFrom('1', 'a', 'b', 'a.b', '1979-05-27', '__proto__', 'constructor', 'toString'),
)

/** Any document that TOML can hold. */
export function tomlDocuments(): fc.Arbitrary<TomlTable> {
  const { table } = fc.letrec<{ value: TomlValue; table: TomlTable }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalars,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(tie('table'), { maxLength: 3 }),
      tie('table'),
    ),
    table: fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }).map(tomlTable),
  }))
  return table
}
