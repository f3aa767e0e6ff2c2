import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareVersions } from './version.ts'

/** Each line in growing order; `=` joins equal ones. From deb-version(7), dpkg's own tests and the archive. */
test.each([
  ['1.0~~ 1.0~~a 1.0~ 1.0 1.0a'],
  ['1.0=1.0-0=1.0-=0:1.0 1.0-0+b1 1.0-1'],
  ['1.0-1~bpo12+1 1.0-1 1.0-1+b1 1.0-1.1 1.0-2'],
  ['9 10 1:1 2:0.1'],
  ['1.2=1.02=1.002 1.20'],
  ['a a-1 aa a+'],
  ['1.2.3 1.2.3a 1.2.3+dfsg'],
  ['2.41-12+deb13u1 2.41-12+deb13u2 2.41-12+deb13u10'],
  ['0.0~git20200101 0.0~git20200102 0.0 0.0.1'],
  ['3.5.1-1 3.5.1-1+deb13u1 3.5.2-1~deb13u1 3.5.2-1'],
  ['1-1-1 1-1-2 1-2-1'],
  ['1.0.9999999999999999999998 1.0.9999999999999999999999 1.0.10000000000000000000000'],
])('%s', (line) => {
  const groups = line.split(' ').map((group) => group.split('='))
  for (const [at, group] of groups.entries()) {
    for (const version of group) {
      for (const same of group) expect(compareVersions(version, same)).toBe(0)
      for (const later of groups.slice(at + 1).flat()) {
        expect([version, later, Math.sign(compareVersions(version, later))]).toEqual([version, later, -1])
        expect([later, version, Math.sign(compareVersions(later, version))]).toEqual([later, version, 1])
      }
    }
  }
})

const version = fc.stringMatching(/^(?:\d{1,2}:)?[0-9a-zA-Z.+~-]{1,8}$/)

test('is a total order', () => {
  const sign = (a: string, b: string) => Math.sign(compareVersions(a, b))
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(sign(a, a)).toBe(0)
      expect(sign(a, b)).toBe(-sign(b, a) + 0)
      if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0)
    }),
    { numRuns: 1000 },
  )
})
