import { SlipwayError } from '../../core/error.ts'
import { checksum } from './header.ts'

/** A header block's own fields, before what extended headers say. */
export interface RawHeader {
  readonly flag: string
  readonly name: string
  readonly linkname: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly major: number
  readonly minor: number
}

/** @throws SlipwayError `OCI_TAR_INVALID` */
export function parseHeader(block: Buffer): RawHeader {
  const sum = number(block, 148, 8, 'checksum')
  if (sum !== checksum(block) && sum !== signedChecksum(block))
    throw invalidTar('a header with a wrong checksum')
  const magic = block.toString('latin1', 257, 263)
  const posix = magic === 'ustar\0'
  // Devices stand in the same place in all but the oldest form; GNU's has times where POSIX has the prefix.
  const extended = posix || magic === 'ustar '
  const prefix = posix ? text(block, 345, block.toString('latin1', 508, 512) === 'tar\0' ? 131 : 155) : ''
  const name = text(block, 0, 100)
  return {
    flag: block.toString('latin1', 156, 157),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkname: text(block, 157, 100),
    mode: number(block, 100, 8, 'mode'),
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: natural(number(block, 124, 12, 'size'), 'size'),
    mtime: number(block, 136, 12, 'mtime'),
    major: extended ? number(block, 329, 8, 'devmajor') : 0,
    minor: extended ? number(block, 337, 8, 'devminor') : 0,
  }
}

export function invalidTar(reason: string): SlipwayError {
  return new SlipwayError('OCI_TAR_INVALID', `not a valid tar: ${reason}`, { class: 'infrastructure' })
}

/** @throws SlipwayError when the value is negative or no exact integer. */
export function natural(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw invalidTar(`${what} is ${value}`)
  return value
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at)
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end)
}

/** Octal digits between spaces and NULs, or base 256 where the first bit is set. */
function number(block: Buffer, at: number, length: number, what: string): number {
  const first = block[at] as number
  if ((first & 0x80) !== 0) return base256(block.subarray(at, at + length), what)
  const digits = block.toString('latin1', at, at + length).replace(/^[ \0]+|[ \0]+$/g, '')
  // Some writers end a number with a NUL and leave old bytes behind it.
  const clean = digits.split('\0', 1)[0] as string
  if (clean === '') return 0
  if (!/^[0-7]+$/.test(clean)) throw invalidTar(`${what} is no number`)
  return natural(Number.parseInt(clean, 8), what)
}

/** Two's complement, big-endian, the first bit only a mark. */
function base256(bytes: Buffer, what: string): number {
  const negative = ((bytes[0] as number) & 0x40) !== 0
  let value = negative ? -1n : 0n
  bytes.forEach((byte, index) => {
    const bits = index === 0 ? byte & 0x7f : byte
    value = (value << (index === 0 ? 7n : 8n)) | BigInt(bits)
  })
  const result = Number(value)
  if (!Number.isSafeInteger(result)) throw invalidTar(`${what} is too large`)
  return result
}

/** Sun's tar summed the bytes as signed ones. */
function signedChecksum(block: Buffer): number {
  let high = 0
  for (let at = 0; at < block.length; at++) {
    if ((at < 148 || at >= 156) && (block[at] as number) >= 0x80) high++
  }
  return checksum(block) - 256 * high
}
