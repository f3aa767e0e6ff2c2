import type { TarEntry } from './header.ts'
import { invalidTar, natural, type RawHeader } from './parse-header.ts'

/** Records of PAX headers, keys and values as latin1 bytes. */
export type PaxRecords = ReadonlyMap<string, string>

/** @throws SlipwayError `OCI_TAR_INVALID` */
export function parsePax(bytes: Buffer): PaxRecords {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const digits = space < 0 || space - at > 10 ? '' : bytes.toString('latin1', at, space)
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0
    const end = at + length
    if (space < 0 || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) {
      throw invalidTar('a PAX record of a wrong length')
    }
    const record = bytes.toString('latin1', space + 1, end - 1)
    const equals = record.indexOf('=')
    if (equals < 1) throw invalidTar('a PAX record without a key')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at = end
  }
  return records
}

/** The entry that a header and the records before it describe. An empty value takes a global record back. */
export function applyPax(raw: RawHeader, records: PaxRecords): TarEntry {
  const record = (key: string) => {
    const value = records.get(key)
    return value === undefined || value === '' ? undefined : value
  }
  const name = checked(record('path') ?? raw.name)
  const size = optionalInteger(record('size'), 'size') ?? raw.size
  const fields = {
    name,
    mode: raw.mode & 0o7777,
    uid: natural(optionalInteger(record('uid'), 'uid') ?? raw.uid, 'uid'),
    gid: natural(optionalInteger(record('gid'), 'gid') ?? raw.gid, 'gid'),
    mtime: optionalSeconds(record('mtime')) ?? raw.mtime,
  }
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.')) || raw.flag === 'S') {
    throw invalidTar(`${JSON.stringify(name)} is a sparse entry, which is not supported`)
  }
  const linkname = checked(record('linkpath') ?? raw.linkname)
  switch (raw.flag) {
    case '0':
    case '\0':
    case '7':
      // Before POSIX a directory was known by its slash.
      if (name.endsWith('/')) return { type: 'directory', ...fields }
      return { type: 'file', ...fields, size: natural(size, 'size') }
    case '1':
      return { type: 'hardlink', ...fields, linkname }
    case '2':
      return { type: 'symlink', ...fields, linkname }
    case '3':
      return { type: 'character-device', ...fields, major: raw.major, minor: raw.minor }
    case '4':
      return { type: 'block-device', ...fields, major: raw.major, minor: raw.minor }
    case '5':
      return { type: 'directory', ...fields }
    case '6':
      return { type: 'fifo', ...fields }
    default:
      return { type: 'other', ...fields, flag: raw.flag, size: natural(size, 'size') }
  }
}

function checked(name: string): string {
  if (name.includes('\0')) throw invalidTar('a name holds a NUL byte')
  return name
}

function optionalInteger(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9]{1,19}$/.test(text)) throw invalidTar(`${what} is no number`)
  return natural(Number(text), what)
}

/** Whole seconds of a decimal time. */
function optionalSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(text)) throw invalidTar('mtime is no number')
  return Math.floor(Number(text))
}
