import { posix } from 'node:path'
import { SlipwayError } from '../../core/error.ts'

/**
 * Headers with the exact bytes of Go's archive/tar, because a layer's identity is the digest of its tar and images
 * made by the Go lifecycle must keep their layers: USTAR where every field fits, else a PAX header before a USTAR one.
 */

/** 1980-01-01T00:00:01Z, the time of every entry of a layer (cnb-spec TR-2). */
export const LAYER_TIME = 315_532_801

export const TAR_BLOCK = 512

interface EntryFields {
  /** Bytes as latin1, written as they are: absolute in a layer, no trailing slash on directories. */
  readonly name: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970; {@link LAYER_TIME} where absent. The reader always sets it. */
  readonly mtime?: number
}

/** What stands in front of an entry's bytes. */
export type TarEntry = EntryFields &
  (
    | { readonly type: 'directory' | 'fifo' }
    | { readonly type: 'file'; readonly size: number }
    /** A hard link's `linkname` is the name of an entry before it. */
    | { readonly type: 'symlink' | 'hardlink'; readonly linkname: string }
    | {
        readonly type: 'character-device' | 'block-device'
        readonly major: number
        readonly minor: number
      }
    /** Only read, never written: a type flag that is none of these. */
    | { readonly type: 'other'; readonly flag: string; readonly size: number }
  )

const FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
} as const

const NAME = { at: 0, length: 100 }
const MODE = { at: 100, length: 8 }
const UID = { at: 108, length: 8 }
const GID = { at: 116, length: 8 }
const SIZE = { at: 124, length: 12 }
const MTIME = { at: 136, length: 12 }
const LINKNAME = { at: 157, length: 100 }
const DEVMAJOR = { at: 329, length: 8 }
const DEVMINOR = { at: 337, length: 8 }
const PREFIX = { at: 345, length: 155 }

interface Field {
  readonly at: number
  readonly length: number
}

/** Same limit as Go's and libarchive's for the body of a PAX header. */
const MAX_PAX = 1 << 20

/**
 * The header of an entry: one block, or three or more where a PAX header goes first.
 * @throws SlipwayError `OCI_TAR_ENTRY_INVALID` for a name or number that no tar can hold.
 */
export function encodeHeader(entry: TarEntry): Buffer {
  const fields = fieldsOf(entry)
  const split = splitName(fields.name)
  const pax = paxRecords(fields)
  if (pax.length === 0 || (split !== undefined && pax.every(([key]) => key === 'path'))) {
    const block = baseBlock(split === undefined ? fields : { ...fields, name: split.rest }, (text) => text)
    if (split !== undefined) putText(block, PREFIX, split.prefix)
    return sealed(block)
  }
  return Buffer.concat([...paxHeader(fields, pax), sealed(baseBlock(fields, toAscii))])
}

interface Fields {
  readonly name: string
  readonly linkname: string
  readonly flag: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly major: number
  readonly minor: number
}

function fieldsOf(entry: TarEntry): Fields {
  if (entry.type === 'other')
    throw invalid(entry.name, `type ${JSON.stringify(entry.flag)} cannot be written`)
  const fields: Fields = {
    name: entry.name,
    linkname: 'linkname' in entry ? entry.linkname : '',
    flag: FLAGS[entry.type],
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === 'file' ? entry.size : 0,
    mtime: entry.mtime ?? LAYER_TIME,
    major: 'major' in entry ? entry.major : 0,
    minor: 'minor' in entry ? entry.minor : 0,
  }
  check(fields, entry.type)
  return fields
}

function check(fields: Fields, type: TarEntry['type']): void {
  const { name } = fields
  if (name === '') throw invalid(name, 'the name is empty')
  if (name.includes('\0') || fields.linkname.includes('\0')) throw invalid(name, 'a name holds a NUL byte')
  // Go writes a directory with or without the slash and refuses it on what has a body.
  if (name.endsWith('/') && type !== 'directory' && type !== 'symlink' && type !== 'hardlink') {
    throw invalid(name, 'the name ends with a slash')
  }
  for (const key of ['mode', 'uid', 'gid', 'size', 'major', 'minor'] as const) {
    if (!Number.isSafeInteger(fields[key]) || fields[key] < 0) throw invalid(name, `${key} is ${fields[key]}`)
  }
  if (!Number.isSafeInteger(fields.mtime)) throw invalid(name, `mtime is ${fields.mtime}`)
  // These have no PAX record.
  for (const key of ['mode', 'major', 'minor'] as const) {
    if (!fitsOctal(fields[key], 8)) throw invalid(name, `${key} ${fields[key]} is too large`)
  }
}

function invalid(name: string, reason: string): SlipwayError {
  return new SlipwayError('OCI_TAR_ENTRY_INVALID', `cannot write a tar entry: ${reason}`, {
    subject: Buffer.from(name, 'latin1').toString('utf8'),
  })
}

/** What USTAR cannot hold, sorted by key. `path` stands here also where the name could be split: Go decides so. */
function paxRecords(fields: Fields): [key: string, value: string][] {
  const records: [string, string][] = []
  if (!fitsOctal(fields.gid, GID.length)) records.push(['gid', String(fields.gid)])
  if (!fitsText(fields.linkname, LINKNAME)) records.push(['linkpath', fields.linkname])
  if (!fitsOctal(fields.mtime, MTIME.length)) records.push(['mtime', String(fields.mtime)])
  if (!fitsText(fields.name, NAME)) records.push(['path', fields.name])
  if (!fitsOctal(fields.size, SIZE.length)) records.push(['size', String(fields.size)])
  if (!fitsOctal(fields.uid, UID.length)) records.push(['uid', String(fields.uid)])
  return records
}

function fitsText(text: string, field: Field): boolean {
  return text.length <= field.length && isAscii(text)
}

/** One digit of the field is the NUL behind the number. */
function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1)
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= 0x80) return false
  return true
}

function toAscii(text: string): string {
  return isAscii(text) ? text : [...text].filter((char) => char.charCodeAt(0) < 0x80).join('')
}

/** A name over 100 bytes in USTAR's two fields, cut at the last slash that leaves a prefix of at most 155. */
function splitName(name: string): { prefix: string; rest: string } | undefined {
  if (name.length <= NAME.length || !isAscii(name)) return undefined
  let length = name.length
  if (length > PREFIX.length + 1) length = PREFIX.length + 1
  else if (name.endsWith('/')) length--
  const slash = name.lastIndexOf('/', length - 1)
  const rest = name.length - slash - 1
  if (slash <= 0 || slash > PREFIX.length || rest === 0 || rest > NAME.length) return undefined
  return { prefix: name.slice(0, slash), rest: name.slice(slash + 1) }
}

function baseBlock(fields: Fields, clean: (text: string) => string): Buffer {
  const block = Buffer.alloc(TAR_BLOCK)
  block.write(fields.flag, 156, 'latin1')
  putText(block, NAME, clean(fields.name))
  putText(block, LINKNAME, clean(fields.linkname))
  putOctal(block, MODE, fields.mode)
  putOctal(block, UID, fields.uid)
  putOctal(block, GID, fields.gid)
  putOctal(block, SIZE, fields.size)
  putOctal(block, MTIME, fields.mtime)
  putOctal(block, DEVMAJOR, fields.major)
  putOctal(block, DEVMINOR, fields.minor)
  return block
}

function putText(block: Buffer, field: Field, text: string): void {
  if (text === '') return
  block.write(text.slice(0, field.length), field.at, 'latin1')
  if (text.length <= field.length || text[field.length - 1] !== '/') return
  // A cut name must not look like a directory's (Go does the same, so that old readers are not fooled).
  const kept = text.slice(0, field.length - 1).replace(/\/+$/, '')
  block[field.at + kept.length] = 0
}

/** A number that does not fit is written as 0: the PAX record before it has the true one. */
function putOctal(block: Buffer, field: Field, value: number): void {
  let rest = fitsOctal(value, field.length) ? value : 0
  for (let at = field.at + field.length - 2; at >= field.at; at--) {
    block[at] = 0x30 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}

function sealed(block: Buffer): Buffer {
  block.write('ustar\x0000', 257, 'latin1')
  block.write(checksum(block).toString(8).padStart(6, '0'), 148, 'latin1')
  block[154] = 0
  block[155] = 0x20
  return block
}

/** Sum of the header's bytes, its own field counted as spaces. */
export function checksum(block: Uint8Array): number {
  let sum = 8 * 0x20
  for (let at = 0; at < 148; at++) sum += block[at] as number
  for (let at = 156; at < TAR_BLOCK; at++) sum += block[at] as number
  return sum
}

function paxHeader(fields: Fields, records: readonly (readonly [string, string])[]): Buffer[] {
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''), 'latin1')
  if (body.length > MAX_PAX) throw invalid(fields.name, 'the name is too long')
  const slash = fields.name.lastIndexOf('/') + 1
  const name = posix.join(fields.name.slice(0, slash), 'PaxHeaders.0', fields.name.slice(slash))
  const block = Buffer.alloc(TAR_BLOCK)
  block.write('x', 156, 'latin1')
  putText(block, NAME, toAscii(name).slice(0, NAME.length).replace(/\/+$/, ''))
  for (const field of [MODE, UID, GID, MTIME]) putOctal(block, field, 0)
  putOctal(block, SIZE, body.length)
  return [sealed(block), body, Buffer.alloc(paddingOf(body.length))]
}

/** `25 path=…\n`: the number counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return `${length}${rest}`
}

/** Bytes from the end of a body to the next block. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK
}
