import { expect, test } from 'vitest'
import { compressionLevel, parseCompression } from './parse-compression.ts'

test.each([
  ['gzip', { kind: 'gzip' }, 1],
  ['gzip:9', { kind: 'gzip', level: 9 }, 9],
  ['zstd', { kind: 'zstd' }, 1],
  ['zstd:19', { kind: 'zstd', level: 19 }, 19],
] as const)('%s', (text, compression, level) => {
  expect(parseCompression(text)).toEqual(compression)
  expect(compressionLevel(compression)).toBe(level)
})

test.each(['', 'none', 'xz', 'gzip:', 'gzip:fast', 'zstd:-1', 'GZIP', 'gzip:1 '])('not %j', (text) => {
  expect(() => parseCompression(text)).toThrow(
    expect.objectContaining({ code: 'OCI_COMPRESSION_UNKNOWN', exitCode: 3 }),
  )
})

test.each(['gzip:0', 'gzip:10', 'zstd:20'])('no level as in %s', (text) => {
  expect(() => parseCompression(text)).toThrow(
    expect.objectContaining({ code: 'OCI_COMPRESSION_LEVEL', exitCode: 3 }),
  )
})
