import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyWithoutSymbols, patched } from './runtime.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runtime-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('the loader and the C library forget the base image’s plug-ins', () => {
  const ld = Buffer.from('x\0/etc/ld.so.preload\0y')
  expect(Buffer.from(patched('ld-linux-aarch64.so.1', ld)).toString()).toBe('x\0/cnb/ld.so.preload\0y')
  const libc = Buffer.from('x\0/etc/nsswitch.conf\0y')
  expect(Buffer.from(patched('libc.so.6', libc)).toString()).toBe('x\0/cnb/nsswitch.conf\0y')
  expect(patched('libm.so.6', libc)).toEqual(libc)
})

test.each(['nothing of it', '/etc/nsswitch.conf\0 and /etc/nsswitch.conf\0', '/etc/nsswitch.config\0'])(
  'a library with %j is not what we know',
  (text) => {
    expect(() => patched('libc.so.6', Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'BUILDERS_PATCH_FAILED', subject: 'libc.so.6' }),
    )
  },
)

/** A 64-bit ELF file: two segments, and something behind them. */
function elf(tail: number): Buffer {
  const file = Buffer.alloc(64 + 2 * 56 + 1_500_000 + tail, 0xaa)
  file.fill(0, 0, 176)
  Buffer.from('7f454c460201', 'hex').copy(file)
  file.writeBigUInt64LE(64n, 32)
  file.writeBigUInt64LE(BigInt(file.length - 64), 40)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(2, 56)
  file.writeUInt16LE(64, 58)
  for (const [at, offset, size] of [
    [64, 0, 176],
    [120, 176, 1_500_000],
  ] as const) {
    file.writeBigUInt64LE(BigInt(offset), at + 8)
    file.writeBigUInt64LE(BigInt(size), at + 32)
  }
  return file
}

function copy(bytes: Buffer): Buffer {
  writeFileSync(join(directory, 'from'), bytes)
  rmSync(join(directory, 'to'), { force: true })
  const size = copyWithoutSymbols(join(directory, 'from'), join(directory, 'to'))
  expect(statSync(join(directory, 'to')).size).toBe(size)
  return readFileSync(join(directory, 'to'))
}

test('what stands behind the segments goes, with the table that names it', () => {
  const original = elf(10_000)
  const copied = copy(original)
  expect(copied.length).toBe(176 + 1_500_000)
  expect(copied.subarray(64).equals(original.subarray(64, copied.length))).toBe(true)
  expect([copied.readBigUInt64LE(40), copied.readUInt16LE(60), copied.readUInt16LE(62)]).toEqual([0n, 0, 0])
})

test.each([
  ['nothing to remove', elf(0)],
  ['a script', Buffer.from('#!/bin/sh\n')],
  ['an empty file', Buffer.alloc(0)],
  ['a table that is cut off', elf(5).subarray(0, 70)],
  ['a segment behind the end', elf(5).subarray(0, 100_000)],
])('with %s the copy is whole', (_, bytes) => {
  expect(copy(bytes).equals(bytes)).toBe(true)
})
