/** Whatever a cache, metadata.toml or a variable holds, a reader gives data or a SlipwayError. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SlipwayError } from '../core/error.ts'
import { isDigest } from '../oci/digest.ts'
import { METADATA_FILE, RECORDS_FILE, VERIFIED_FILE } from './cache/layout.ts'
import { readMetadata } from './cache/metadata.ts'
import { readRecords } from './cache/records.ts'
import { readVerified } from './cache/verified.ts'
import { readLaunchMetadata } from './launch/metadata.ts'
import { goDuration, parseGoDuration } from './log/go-duration.ts'
import { isLogged, parseLogLevel } from './log/level.ts'

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.json())

describe('files of a cache', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'slipway-hostile-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  test('what is no record is none', () => {
    const digest = fc.constantFrom(`sha256:${'0'.repeat(64)}`, 'sha256:0', '../x')
    const nearly = fc
      .dictionary(fc.oneof(digest, fc.string()), fc.oneof(fc.jsonValue(), fc.string()))
      .map((layers) => JSON.stringify({ format: 1, layers, ...layers }))
    fc.assert(
      fc.property(fc.oneof(text, nearly), (content) => {
        for (const file of [METADATA_FILE, RECORDS_FILE, VERIFIED_FILE]) {
          writeFileSync(join(directory, file), content)
        }
        readMetadata(directory)
        for (const { diffId } of readRecords(directory).values()) expect(isDigest(diffId)).toBe(true)
        for (const diffId of readVerified(directory).keys()) expect(isDigest(diffId)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('what the launcher reads', () => {
  test('data or an error of its own', () => {
    const pieces = [
      '[[processes]]\n',
      '[[buildpacks]]\n',
      'type = ',
      'command = ',
      'id = ',
      '"x"',
      '["y"]',
      '\n',
      '1',
    ]
    const nearly = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((list) => list.join(''))
    fc.assert(
      fc.property(fc.oneof(text, nearly), (content) => {
        try {
          readLaunchMetadata(content, 'metadata.toml')
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('words of flags and variables', () => {
  test('a duration is read as it is written', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 9), (milliseconds) => {
        expect(parseGoDuration(goDuration(milliseconds))).toBeCloseTo(milliseconds, 6)
      }),
    )
  })

  test('any other text is none', () => {
    const pieces = ['1', '.', '-', '+', 'h', 'm', 's', 'ms', 'µs', ' ', 'x']
    const nearly = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((list) => list.join(''))
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (word) => {
        const duration = parseGoDuration(word)
        if (duration !== undefined) expect(duration).not.toBeNaN()
      }),
    )
    // With a step for each pair of digits it would not end within the test's time.
    expect(parseGoDuration('1'.repeat(300_000))).toBeUndefined()
  })

  test('a log level is one of five', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom('DEBUG', 'Warning', 'fatal')), (word) => {
        try {
          expect(isLogged('fatal', parseLogLevel(word))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError)
        }
      }),
    )
  })
})
