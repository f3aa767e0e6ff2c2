import { describe, expect, test } from 'vitest'
import {
  compareApiVersions,
  formatApiVersion,
  isAtLeast,
  isSupersetOf,
  negotiateBuildpackApi,
  negotiatePlatformApi,
  parseApiVersion,
  parseDeprecationMode,
  parseExperimentalMode,
  readApiVersion,
  requireExperimental,
} from './api-version.ts'

test.each([
  ['0.12', '0.12'],
  ['v0.7', '0.7'],
  ['1', '1.0'],
  ['0.', '0.0'],
  ['18446744073709551615.1', '18446744073709551615.1'],
])('%s is %s', (text, expected) => {
  expect(formatApiVersion(parseApiVersion(text))).toBe(expected)
})

test.each(['', 'x', '0.12.1', ' 0.12', '0.12\n', '-1', '18446744073709551616', '0.1a'])(
  '%j is no version',
  (text) => {
    expect(readApiVersion(text)).toBeUndefined()
    expect(() => parseApiVersion(text)).toThrow(expect.objectContaining({ code: 'SPEC_API_VERSION_INVALID' }))
  },
)

test('0.10 is later than 0.9', () => {
  expect(isAtLeast(parseApiVersion('0.10'), '0.9')).toBe(true)
  expect(isAtLeast(parseApiVersion('0.9'), '0.10')).toBe(false)
  expect(isAtLeast(parseApiVersion('1.0'), '0.15')).toBe(true)
  expect(compareApiVersions(parseApiVersion('0.9'), parseApiVersion('v0.9'))).toBe(0)
})

test('0.x must match, later majors are additive', () => {
  const supersetOf = (a: string, b: string) => isSupersetOf(parseApiVersion(a), parseApiVersion(b))
  expect(supersetOf('0.8', '0.7')).toBe(false)
  expect(supersetOf('0.8', '0.8')).toBe(true)
  expect(supersetOf('1.3', '1.2')).toBe(true)
  expect(supersetOf('1.2', '1.3')).toBe(false)
  expect(supersetOf('2.0', '1.0')).toBe(false)
})

describe('Platform API', () => {
  test.each(['0.7', '0.15', ' 0.12 '])('%s is spoken', (text) => {
    expect(formatApiVersion(negotiatePlatformApi(text))).toBe(text.trim())
  })

  test.each([undefined, '', '  '])('%j is unset', (text) => {
    expect(() => negotiatePlatformApi(text)).toThrow(
      expect.objectContaining({
        exitCode: 11,
        code: 'SPEC_PLATFORM_API_UNSET',
        message: expect.stringContaining("please set 'CNB_PLATFORM_API'"),
      }),
    )
  })

  test.each(['0.1', '0.16', '1.0'])('%s is refused', (text) => {
    expect(() => negotiatePlatformApi(text)).toThrow(
      expect.objectContaining({
        exitCode: 11,
        message: expect.stringContaining(`platform API version '${text}' is incompatible with the lifecycle`),
      }),
    )
  })

  test('what is no version is not read', () => {
    expect(() => negotiatePlatformApi('bad')).toThrow(
      expect.objectContaining({ exitCode: 11, message: "failed to parse platform API 'bad'" }),
    )
  })
})

test('a Buildpack API outside of the supported ones names the buildpack', () => {
  expect(formatApiVersion(negotiateBuildpackApi('0.12', 'Buildpack', 'x'))).toBe('0.12')
  for (const text of ['0.6', '0.13']) {
    expect(() => negotiateBuildpackApi(text, 'Buildpack', 'a@1')).toThrow(
      expect.objectContaining({
        exitCode: 12,
        subject: "buildpack 'a@1'",
        message: `failed to set API for Buildpack 'a@1': buildpack API version '${text}' is incompatible with the lifecycle`,
      }),
    )
  }
  for (const text of ['', 'x']) {
    expect(() => negotiateBuildpackApi(text, 'Extension', 'a@1')).toThrow(
      expect.objectContaining({
        exitCode: 12,
        subject: "extension 'a@1'",
        message: `failed to parse buildpack API '<nil>' for extension 'a@1': '${text}' is no API version`,
      }),
    )
  }
})

test('modes take silent and quiet for the same', () => {
  expect([undefined, '', 'error', 'warn', 'quiet', 'silent', 'x'].map(parseDeprecationMode)).toEqual([
    'warn',
    'warn',
    'error',
    'warn',
    'quiet',
    'quiet',
    'warn',
  ])
  expect([undefined, '', 'error', 'warn', 'quiet', 'silent', 'x'].map(parseExperimentalMode)).toEqual([
    'error',
    'error',
    'error',
    'warn',
    'quiet',
    'quiet',
    'warn',
  ])
})

test('experimental features', () => {
  const said: string[] = []
  const say = (level: string, message: string) => void said.push(`${level}: ${message}`)
  requireExperimental('Dockerfiles', 'quiet', say)
  expect(said).toEqual([])
  requireExperimental('Dockerfiles', 'warn', say)
  expect(said).toEqual(["warn: Platform requested experimental feature 'Dockerfiles'"])
  expect(() => requireExperimental('Dockerfiles', 'error', say)).toThrow(
    expect.objectContaining({
      exitCode: 1,
      message: expect.stringContaining('experimental features are disabled by CNB_EXPERIMENTAL_MODE=error'),
    }),
  )
  expect(said.at(-1)).toBe("error: Platform requested experimental feature 'Dockerfiles'")
})
