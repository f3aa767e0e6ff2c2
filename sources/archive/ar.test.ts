import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arMembers, type ReadAt } from './ar.ts'
import { makeAr } from './testing/make.ts'

const reader =
  (bytes: Buffer): ReadAt =>
  (offset, length) =>
    bytes.subarray(offset, offset + length)

const list = (bytes: Buffer) => arMembers(reader(bytes), bytes.length, 'x.deb')

test('finds every member, whatever their sizes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.stringMatching(/^[a-z.-]{1,16}$/), fc.uint8Array({ maxLength: 99 }))),
      (members) => {
        const bytes = makeAr(members)
        const found = list(bytes).map(({ name, offset, size }) => [
          name,
          bytes.subarray(offset, offset + size),
        ])
        expect(found).toEqual(members.map(([name, content]) => [name, Buffer.from(content)]))
      },
    ),
  )
})

test('takes the slash of GNU ar off a name', () => {
  expect(list(makeAr([['control.tar/', Buffer.from('x')]]))[0]?.name).toBe('control.tar')
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['another magic', Buffer.from('!<thin>\n')],
  ['half a header', makeAr([['a', Buffer.from('abc')]]).subarray(0, 40)],
  ['a member that is cut off', makeAr([['a', Buffer.from('abcdef')]]).subarray(0, 70)],
  [
    'a size that is no number',
    Buffer.from(
      makeAr([['a', Buffer.from('abc')]])
        .toString('latin1')
        .replace('3  ', '-3 '),
      'latin1',
    ),
  ],
  ['rubbish between members', Buffer.concat([makeAr([['a', Buffer.from('ab')]]), Buffer.alloc(60, 0x20)])],
])('refuses %s', (_, bytes) => {
  expect(() => list(bytes)).toThrow(expect.objectContaining({ code: 'SOURCE_AR_INVALID', subject: 'x.deb' }))
})

test('anything gives members or a SlipwayError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (noise, withMagic) => {
      const bytes = withMagic ? Buffer.concat([Buffer.from('!<arch>\n'), noise]) : Buffer.from(noise)
      try {
        for (const member of list(bytes))
          expect(member.offset + member.size).toBeLessThanOrEqual(bytes.length)
      } catch (error) {
        expect(error).toMatchObject({ code: 'SOURCE_AR_INVALID' })
      }
    }),
  )
})
