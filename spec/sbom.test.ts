import { expect, test } from 'vitest'
import { parseBoolean } from './environment.ts'
import { declaresMediaType, parseSbomFileName } from './sbom.ts'

test('names of SBOM files', () => {
  expect(parseSbomFileName('launch.sbom.cdx.json')).toMatchObject({
    subject: 'launch',
    format: { extension: 'cdx' },
  })
  expect(parseSbomFileName('a.b.sbom.spdx.json')).toMatchObject({
    subject: 'a.b',
    format: { mediaType: 'application/spdx+json', fileName: 'sbom.spdx.json' },
  })
  expect(parseSbomFileName('x.sbom.other.json')).toEqual({ subject: 'x', format: undefined })
  expect(parseSbomFileName('x.json')).toBeUndefined()
  expect(parseSbomFileName('x.toml')).toBeUndefined()
})

test('parameters of declared media types do not count', () => {
  const declared = ['application/vnd.CycloneDX+json;version=1.4', 'application/spdx+json']
  expect(declaresMediaType(declared, 'application/vnd.cyclonedx+json')).toBe(true)
  expect(declaresMediaType(declared, 'application/spdx+json')).toBe(true)
  expect(declaresMediaType(declared, 'application/vnd.syft+json')).toBe(false)
})

test('booleans of the environment', () => {
  expect(['1', 't', 'True', 'TRUE', '0', 'F', 'yes', '', 'tRUE'].map(parseBoolean)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    undefined,
    undefined,
    undefined,
  ])
})
