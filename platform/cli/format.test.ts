import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytes, columns, duration, printable } from './format.ts'

const ESC = '\u001b'

test('sizes and durations', () => {
  expect([0, 999, 1000, 43_120_000, 250_000_000, 1.5e12].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '43.1 MB',
    '250 MB',
    '1.5 TB',
  ])
  expect([7.6, 1240, 12_340, 125_000].map(duration)).toEqual(['8 ms', '1.24 s', '12.3 s', '2 min 5 s'])
})

test('columns line up, without trailing blanks', () => {
  expect(
    columns([
      ['a', 'bb', 'c'],
      ['aaa', '', ''],
    ]),
  ).toEqual(['a    bb  c', 'aaa'])
})

test('colours pass, whatever else could drive a terminal does not', () => {
  expect(printable('\u001b[31mred\u001b[0m')).toBe('\u001b[31mred\u001b[0m')
  expect(printable('\u001b]0;title\u0007')).toBe('␛]0;title�')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const left = printable(text).replaceAll(new RegExp(`${ESC}\\[[0-9;]*m`, 'g'), '')
      const controls = [...left].filter(
        (c) => (c < ' ' && c !== '\t' && c !== '\n') || (c >= '\u007f' && c < '\u00a0'),
      )
      expect(controls).toEqual([])
    }),
  )
})
