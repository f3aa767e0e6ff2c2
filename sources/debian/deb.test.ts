import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeAr, makeXz } from '../archive/testing/make.ts'
import { type XzPool, xzPool } from '../archive/xz.ts'
import { openDeb } from './deb.ts'

let directory: string
let pool: XzPool
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'deb-'))
  pool = xzPool({ size: 1 })
})
afterAll(async () => {
  await pool[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function put(members: readonly (readonly [string, Uint8Array])[]): string {
  const path = join(directory, 'x.deb')
  writeFileSync(path, makeAr(members))
  return path
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of chunks) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts).toString()
}

const VERSION = ['debian-binary', Buffer.from('2.0\n')] as const

test.each([
  ['control.tar', Buffer.from('control'), 'data.tar', Buffer.from('data')],
  ['control.tar.gz', gzipSync('control'), 'data.tar.xz', makeXz(Buffer.from('data'))],
  ['control.tar.xz', makeXz(Buffer.from('control')), 'data.tar.zst', zstdCompressSync('data')],
])('gives both tars of %s', async (controlName, control, dataName, data) => {
  const deb = openDeb(
    put([VERSION, ['_gpgorigin', Buffer.from('x')], [controlName, control], [dataName, data]]),
    pool,
  )
  expect([await text(deb.control()), await text(deb.data())]).toEqual(['control', 'data'])
})

test.each([
  ['another version', [['debian-binary', Buffer.from('3.0\n')] as const]],
  ['something else first', [['control.tar', Buffer.from('x')] as const, VERSION]],
  ['no data', [VERSION, ['control.tar', Buffer.from('x')] as const]],
  ['a compression nobody knows', [VERSION, ['control.tar.br', Buffer.from('x')] as const]],
])('refuses %s', (_, members) => {
  expect(() => openDeb(put(members), pool)).toThrow(expect.objectContaining({ code: 'SOURCE_DEB_INVALID' }))
})
