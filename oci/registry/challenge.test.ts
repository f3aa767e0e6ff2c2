import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { demandOf, parseChallenges } from './challenge.ts'

describe('parseChallenges', () => {
  it('reads quoted strings with commas, equals signs and escapes', () => {
    const header =
      'Bearer realm="https://auth.example/token?a=b",service="a, b=\\"c\\"",scope="repository:x:pull,push"'
    expect(parseChallenges(header)).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token?a=b',
          service: 'a, b="c"',
          scope: 'repository:x:pull,push',
        },
      },
    ])
  })

  it('reads several challenges of one line, with and without parameters', () => {
    expect(parseChallenges('Negotiate, Basic realm="x" , charset=UTF-8, Custom dG9rZW4=, NTLM')).toEqual([
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x', charset: 'UTF-8' } },
      { scheme: 'custom', parameters: {} },
      { scheme: 'ntlm', parameters: {} },
    ])
  })

  it('is lenient about space and letter case, and keeps the first of two', () => {
    expect(parseChallenges('  BEARER   Realm = "a" ,, realm="b" ;x')).toEqual([
      { scheme: 'bearer', parameters: { realm: 'a' } },
    ])
    expect(parseChallenges('')).toEqual([])
    expect(parseChallenges('Bearer realm="unfinished')).toEqual([
      { scheme: 'bearer', parameters: {} },
      expect.anything(),
    ])
  })

  it('reads back what it is given', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
    const challenge = fc.record({
      scheme: name,
      parameters: fc.dictionary(name, fc.string(), { minKeys: 1 }),
    })
    fc.assert(
      fc.property(fc.array(challenge), (challenges) => {
        const header = challenges
          .map(({ scheme, parameters }) => {
            const list = Object.entries(parameters).map(
              ([key, value]) => `${key}="${value.replace(/[\\"]/g, (character) => `\\${character}`)}"`,
            )
            return `${scheme} ${list.join(', ')}`
          })
          .join(', ')
        expect(parseChallenges(header)).toEqual(
          challenges.map((entry) => ({ ...entry, parameters: { ...entry.parameters } })),
        )
      }),
    )
  })

  it('ends on anything', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'ab=", \\\t;') })), (header) => {
        expect(Array.isArray(parseChallenges(header))).toBe(true)
      }),
    )
    expect(parseChallenges('a,'.repeat(100_000)).length).toBe(100_000)
  })
})

describe('demandOf', () => {
  it('takes the first that it understands', () => {
    expect(demandOf(['Negotiate', 'Basic realm="r"', 'Bearer realm="https://r"'])).toEqual({ kind: 'basic' })
    expect(demandOf(['Bearer service="no realm"', 'Bearer realm="https://r",scope=""'])).toEqual({
      kind: 'bearer',
      realm: 'https://r',
    })
    expect(demandOf(['NTLM'])).toBeUndefined()
    expect(demandOf([])).toBeUndefined()
  })
})
