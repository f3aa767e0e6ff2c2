import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJsonObject } from './json.ts'

const parse = (text: string) => parseJsonObject(text, 'package.json', 'TEST_JSON')

describe('parseJsonObject', () => {
  it.each([
    ['{\n  "a": 1,\n}', 'package.json:3:1'],
    ['{ "a" }', 'package.json:1:7'],
    ['{\n "a": [', 'package.json:2:8'],
    ['', 'package.json:1:1'],
    ['\uFEFF{ x', 'package.json:1:3'],
    ['{"a":}', 'package.json:1:6'],
    ['{"a":[1,]}', 'package.json:1:9'],
    ['{"a":{},"b":[{}] "c"}', 'package.json:1:18'],
    ['{"a":1}}', 'package.json:1:8'],
    ["{'a':1}", 'package.json:1:2'],
    ['{"a":"b\nc"}', 'package.json:1:6'],
    ['{"a":01}', 'package.json:1:7'],
    ['{// comment\n}', 'package.json:1:2'],
  ])('%j fails at %s', (text, subject) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'TEST_JSON', subject, class: 'user' }))
  })

  it('takes a byte order mark, refuses what is no object', () => {
    expect(parse('\uFEFF{"a":1}')).toEqual({ a: 1 })
    for (const text of ['[]', 'null', '"x"', '1']) expect(() => parse(text)).toThrow('holds no JSON object')
  })

  it('looks at nothing twice, however deep', () => {
    expect(() => parse('['.repeat(200_000))).toThrow('expected a value or ], found the end of the file')
  })

  it('points where a text that was JSON was broken, or later', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (json, position) => {
        const text = `{"a":${json}}`
        const at = position % text.length
        const broken = `${text.slice(0, at)}\u0001${text.slice(at)}`
        let subject = ''
        try {
          parse(broken)
        } catch (error) {
          subject = (error as { subject: string }).subject
        }
        expect(subject).toMatch(/^package\.json:1:\d+$/)
        // A token that is cut in two is named where it begins.
        expect(Number(subject.split(':')[2]) - 1).toBeLessThanOrEqual(at)
      }),
    )
  })

  it('never shows pieces of the file, and fails only with its own error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:1 a\n') }), (text) => {
        try {
          parse(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'TEST_JSON', subject: expect.stringMatching(/^package\.json/) })
        }
      }),
    )
    expect(() => parse(`{"${'secret'.repeat(10)}" 1}`)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    )
  })
})
