import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ArchiveCompression, decompressRange } from './stream.ts'
import { makeXz } from './testing/make.ts'
import { type XzPool, xzPool } from './xz.ts'

let directory: string
let pool: XzPool
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'stream-'))
  pool = xzPool({ size: 1 })
})
afterAll(async () => {
  await pool[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const CONTENT = Buffer.alloc(700_000, 'some content ')

async function unpack(
  stored: Uint8Array,
  compression: ArchiveCompression,
  limit = 1_000_000,
): Promise<Buffer> {
  const path = join(directory, compression)
  writeFileSync(path, Buffer.concat([Buffer.from('xx'), stored, Buffer.from('yy')]))
  const parts: Buffer[] = []
  const range = { path, offset: 2, size: stored.length }
  for await (const chunk of decompressRange(range, compression, pool, limit)) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

const FORMS = [
  ['none', CONTENT],
  ['gzip', gzipSync(CONTENT)],
  ['xz', makeXz(CONTENT)],
  ['zstd', zstdCompressSync(CONTENT)],
] as const

test.each(FORMS)('unpacks %s', async (compression, stored) => {
  expect((await unpack(stored, compression)).equals(CONTENT)).toBe(true)
})

test.each(FORMS)('keeps to the limit: %s', async (compression, stored) => {
  await expect(unpack(stored, compression, 600_000)).rejects.toMatchObject({
    code: expect.stringMatching(/^SOURCE_(?:XZ|ARCHIVE)_TOO_LARGE$/),
  })
})

test.each(['gzip', 'zstd', 'xz'] as const)('refuses what is no %s', async (compression) => {
  await expect(unpack(Buffer.from('rubbish rubbish rubbish'), compression)).rejects.toMatchObject({
    code: expect.stringMatching(/^SOURCE_(?:XZ|ARCHIVE)_INVALID$/),
  })
})
