import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import { type ArMember, arMembers, type ReadAt } from '../archive/ar.ts'
import { type ArchiveCompression, decompressRange } from '../archive/stream.ts'
import type { XzPool } from '../archive/xz.ts'

/** A .deb file (deb(5)): two tars in an ar archive. Its tars are read elsewhere: this room knows no tar. */
export interface Deb {
  /** The uncompressed control tar: control, md5sums, maintainer scripts. */
  control(): AsyncIterable<Uint8Array>
  /** The uncompressed data tar: the files. */
  data(): AsyncIterable<Uint8Array>
}

const COMPRESSIONS: Readonly<Record<string, ArchiveCompression>> = {
  '': 'none',
  '.gz': 'gzip',
  '.xz': 'xz',
  '.zst': 'zstd',
}
const CONTROL_LIMIT = 64 * 1024 * 1024
const DATA_LIMIT = 4 * 1024 ** 3

/**
 * Opens a .deb that is on this machine (a latin1 path); only its headers are read here.
 * @throws SlipwayError `SOURCE_DEB_INVALID`, `SOURCE_AR_INVALID`
 */
export function openDeb(path: string, pool: XzPool): Deb {
  const fd = openSync(hostBytes(path), 'r')
  try {
    const readAt: ReadAt = (offset, length) => {
      const buffer = new Uint8Array(length)
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset))
    }
    const members = arMembers(readAt, fstatSync(fd).size, path)
    const first = members[0]
    const version = first && Buffer.from(readAt(first.offset, Math.min(first.size, 16))).toString('latin1')
    if (first?.name !== 'debian-binary' || !/^2\.\d+\n/.test(version ?? '')) {
      throw invalid(path, 'it does not begin with debian-binary 2.x')
    }
    const control = tarMember(members, 'control.tar', path)
    const data = tarMember(members, 'data.tar', path)
    return {
      control: () => decompressRange({ path, ...control.range }, control.compression, pool, CONTROL_LIMIT),
      data: () => decompressRange({ path, ...data.range }, data.compression, pool, DATA_LIMIT),
    }
  } finally {
    closeSync(fd)
  }
}

function tarMember(
  members: readonly ArMember[],
  name: string,
  path: string,
): { readonly range: { offset: number; size: number }; readonly compression: ArchiveCompression } {
  for (const member of members) {
    if (!member.name.startsWith(name)) continue
    const compression = COMPRESSIONS[member.name.slice(name.length)]
    if (compression === undefined)
      throw invalid(path, `${member.name} is compressed in a way that is not known`)
    return { range: { offset: member.offset, size: member.size }, compression }
  }
  throw invalid(path, `it has no ${name}`)
}

function invalid(path: string, why: string): SlipwayError {
  return new SlipwayError('SOURCE_DEB_INVALID', `not a Debian package: ${why}`, {
    subject: path,
    hint: 'the file is damaged; remove it and fetch it again',
    class: 'infrastructure',
  })
}
