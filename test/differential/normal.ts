import { createHash } from 'node:crypto'
import { readEntries } from '../../oci/tar/testing/read-entries.ts'
import { GROUP, PLACE, USER } from './world.ts'

/** The user that stands in a record, whoever ran the phases. */
const RECORDED_USER = 65534

/**
 * The archive as it would be, byte for byte, had the place been at PLACE and the phases been run by one and the same user.
 * The directories above the place are the machine's own, so their owners and modes do not count.
 */
export function normalTar(tar: Buffer, directory: string): Buffer {
  const moved = Buffer.from(tar.toString('latin1').replaceAll(directory, PLACE), 'latin1')
  for (let at = 0; at + 512 <= moved.length; ) {
    const header = moved.subarray(at, at + 512)
    if (header[0] === 0) break
    normalHeader(header)
    at += 512 * (1 + Math.ceil(octal(header, 124, 12) / 512))
  }
  return moved
}

function normalHeader(header: Buffer): void {
  const name = header.toString('latin1', 0, 100).replace(/\0.*/s, '')
  if (name === '/opt') header.write('/tmp', 0, 'latin1')
  if (['/tmp', '/opt', PLACE].includes(name)) {
    write(header, 100, 0o755)
    write(header, 108, 0)
    write(header, 116, 0)
  } else {
    if (octal(header, 108, 8) === USER) write(header, 108, RECORDED_USER)
    if (octal(header, 116, 8) === GROUP) write(header, 116, RECORDED_USER)
  }
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}

const octal = (header: Buffer, at: number, length: number) =>
  Number.parseInt(header.toString('latin1', at, at + length).replace(/[\0 ].*/s, '') || '0', 8)
const write = (header: Buffer, at: number, value: number) =>
  header.write(`${value.toString(8).padStart(7, '0')}\0`, at, 'latin1')

export function sha256(bytes: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** One line for each entry: what is wrong with a layer is seen here, that something is wrong in its diffID. */
export function listing(tar: Buffer): string[] {
  return readEntries(tar).map(({ entry, data }) => {
    const { type, name, mode, uid, gid, mtime } = entry
    const link = 'linkname' in entry ? ` -> ${entry.linkname}` : ''
    const content = type === 'file' ? ` ${data.length} ${sha256(data).slice(7, 19)}` : ''
    return `${type} ${mode.toString(8)} ${uid}:${gid} ${mtime} ${name}${link}${content}`
  })
}

/** Replaces names that differ from run to run, the longest first. */
export function normalText(text: string, names: ReadonlyMap<string, string>): string {
  return [...names]
    .sort(([a], [b]) => b.length - a.length)
    .reduce((result, [from, to]) => result.replaceAll(from, to), text)
    .replaceAll(/\/tmp\/[^/ ]+\/([^/ ]+\/plan\.toml)/g, '/tmp/(of this phase)/$1')
}
