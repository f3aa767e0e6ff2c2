import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHeader, paddingOf, type TarEntry } from './header.ts'
import { readEntries } from './testing/read-entries.ts'

const file: Extract<TarEntry, { type: 'file' }> = {
  type: 'file',
  name: '/f',
  mode: 0o644,
  uid: 1,
  gid: 2,
  size: 0,
}

test('a header as Go writes it, byte for byte', () => {
  const header = encodeHeader({ ...file, name: '/layers/a', uid: 1000, gid: 1001, size: 5 })
  expect(header.length).toBe(512)
  const field = (at: number, length: number) => header.toString('latin1', at, at + length)
  expect(field(0, 10)).toBe('/layers/a\0')
  expect(field(100, 48)).toBe('0000644\x000001750\x000001751\x0000000000005\x0002263523001\x00')
  expect(field(148, 8)).toBe('011004\0 ')
  expect(field(156, 1)).toBe('0')
  expect(field(257, 8)).toBe('ustar\x0000')
  expect(field(329, 16)).toBe('0000000\x000000000\x00')
  expect(header.subarray(345).every((byte) => byte === 0)).toBe(true)
})

describe('where USTAR does not do', () => {
  test.each([
    ['a uid above 2^21', { uid: 2 ** 21 }, '15 uid=2097152\n'],
    ['a gid of OpenShift', { gid: 1_000_620_000 }, '18 gid=1000620000\n'],
    ['a time after 2242', { mtime: 2 ** 33 }, '20 mtime=8589934592\n'],
    ['a time before 1970', { mtime: -1 }, '12 mtime=-1\n'],
    ['a file of 8 GiB', { size: 2 ** 33 }, '19 size=8589934592\n'],
    ['a name that is not ASCII', { name: '/\xff' }, '11 path=/\xff\n'],
    [
      'a long name without a slash to cut at',
      { name: `/${'n'.repeat(100)}` },
      `111 path=/${'n'.repeat(100)}\n`,
    ],
  ] as const)('%s goes into a PAX record', (_, fields, record) => {
    const header = encodeHeader({ ...file, ...fields })
    expect(header.length).toBe(1536)
    expect(header.toString('latin1', 156, 157)).toBe('x')
    expect(header.toString('latin1', 512, 512 + record.length)).toBe(record)
    expect(header[512 + record.length]).toBe(0)
  })

  test('times up to 2242 need none', () => {
    expect(encodeHeader({ ...file, mtime: 2 ** 33 - 1 }).length).toBe(512)
  })

  test('a long name is cut at a slash', () => {
    const name = `/${'d'.repeat(120)}/${'f'.repeat(90)}`
    const header = encodeHeader({ ...file, name })
    expect(header.length).toBe(512)
    expect(header.toString('latin1', 0, 90)).toBe('f'.repeat(90))
    expect(header.toString('latin1', 345, 345 + 121)).toBe(`/${'d'.repeat(120)}`)
  })
})

test.each([
  ['an empty name', { name: '' }],
  ['a NUL byte', { name: '/a\0b' }],
  ['a slash at the end of a file', { name: '/a/' }],
  ['a negative uid', { uid: -1 }],
  ['half a byte', { size: 0.5 }],
  ['a mode of more bits than fit', { mode: 2 ** 21 }],
  ['a name of more than a megabyte', { name: `/${'x'.repeat(2 ** 20)}` }],
])('%s is refused', (_, fields) => {
  expect(() => encodeHeader({ ...file, ...fields })).toThrow(
    expect.objectContaining({ code: 'OCI_TAR_ENTRY_INVALID' }),
  )
})

test('any header comes back from the reader', () => {
  const bytes = (min: number, max: number) =>
    fc
      .uint8Array({ minLength: min, maxLength: max })
      .map((array) =>
        Buffer.from(array.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))).toString('latin1'),
      )
  const name = fc.array(bytes(1, 120), { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`)
  const fields = fc.record({
    name,
    mode: fc.nat(0o7777),
    uid: fc.nat(2 ** 31 - 1),
    gid: fc.nat(2 ** 31 - 1),
    mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  })
  const entry = fc.oneof(
    fields.map((common): TarEntry => ({ type: 'directory', ...common })),
    fc
      .tuple(fields, bytes(1, 300))
      .map(([common, linkname]): TarEntry => ({ type: 'symlink', ...common, linkname })),
    fc
      .tuple(fields, bytes(1, 300))
      .map(([common, linkname]): TarEntry => ({ type: 'hardlink', ...common, linkname })),
    fc.tuple(fields, fc.nat(3000)).map(([common, size]): TarEntry => ({ type: 'file', ...common, size })),
    fields.map((common): TarEntry => ({ type: 'character-device', ...common, major: 5, minor: 1 })),
  )
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 5 }), fc.integer({ min: 1, max: 2000 }), (entries, cut) => {
      const archive = Buffer.concat([
        ...entries.flatMap((item) => {
          const size = item.type === 'file' ? item.size : 0
          return [encodeHeader(item), Buffer.alloc(size, 0x78), Buffer.alloc(paddingOf(size))]
        }),
        Buffer.alloc(1024),
      ])
      const read = readEntries(archive, cut)
      expect(read.map(({ entry: back }) => back)).toEqual(entries)
      for (const { entry: back, data } of read) {
        if (back.type === 'file') expect(data.equals(Buffer.alloc(back.size, 0x78))).toBe(true)
      }
    }),
  )
})
