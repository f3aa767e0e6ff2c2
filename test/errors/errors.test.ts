import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorCodes } from './codes.ts'
import { errorsDocument } from './document.ts'

const codes = errorCodes()

describe('the list of error codes', () => {
  test('finds them however they are raised: at once, by a helper, chosen by a condition', () => {
    const found = new Map(codes.map((entry) => [entry.code, entry]))
    expect(found.get('DETECT_NO_GROUP')).toEqual({
      code: 'DETECT_NO_GROUP',
      classes: ['user'],
      exitCodes: [20],
      message: 'no buildpacks participating',
      hint: 'Check that this is the directory of an app that one of the buildpacks can build.',
    })
    expect(found.get('RUNNER_NOT_EXECUTABLE')).toMatchObject({ classes: ['buildpack'] })
    expect(found.get('ANALYZE_REGISTRY_UNREACHABLE')).toMatchObject({
      classes: ['infrastructure'],
      exitCodes: [32],
    })
    expect(found.has('HTTP_TIMEOUT')).toBe(true)
  })

  test('knows only variables that are none', () => {
    expect(codes.map(({ code }) => code).filter((code) => /_(?:PATH|PROXY|ENV|EPOCH)$/.test(code))).toEqual(
      [],
    )
  })

  test('is what docs/errors.md shows (npm run errors:write)', () => {
    const written = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    expect(written).toBe(errorsDocument(codes))
  })
})
