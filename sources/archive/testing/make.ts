/** Makes small archives for tests: the counterpart of what this folder reads. */
import { crc32 } from 'node:zlib'

/** An `ar` archive of some members. */
export function makeAr(members: readonly (readonly [name: string, content: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n')]
  for (const [name, content] of members) {
    const fields = [name.padEnd(16), '0'.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)]
    parts.push(Buffer.from(`${fields.join('')}${String(content.length).padEnd(10)}\`\n`, 'latin1'), content)
    if (content.length % 2 === 1) parts.push(Buffer.from('\n'))
  }
  return Buffer.concat(parts)
}

/** An xz file that holds its content uncompressed (LZMA2's stored chunks): no encoder is needed to test a decoder. */
export function makeXz(content: Uint8Array): Buffer {
  const flags = Buffer.from([0x00, 0x01])
  const header = Buffer.concat([Buffer.from('fd377a585a00', 'hex'), flags, crc(flags)])
  // One filter, LZMA2 with a dictionary of 64 KiB.
  const fields = Buffer.from([0x02, 0x00, 0x21, 0x01, 0x08, 0x00, 0x00, 0x00])
  const block = Buffer.concat([fields, crc(fields)])
  const chunks: Uint8Array[] = []
  for (let at = 0; at < content.length; at += 65_536) {
    const part = content.subarray(at, at + 65_536)
    const size = Buffer.alloc(2)
    size.writeUInt16BE(part.length - 1)
    chunks.push(Buffer.from([at === 0 ? 0x01 : 0x02]), size, part)
  }
  const data = Buffer.concat([...chunks, Buffer.from([0x00])])
  const unpadded = block.length + data.length + 4
  const records = padded(Buffer.concat([Buffer.from([0x00, 0x01]), number(unpadded), number(content.length)]))
  const index = Buffer.concat([records, crc(records)])
  const tail = Buffer.alloc(6)
  tail.writeUInt32LE(index.length / 4 - 1)
  flags.copy(tail, 4)
  return Buffer.concat([header, block, padded(data), crc(content), index, crc(tail), tail, Buffer.from('YZ')])
}

function crc(bytes: Uint8Array): Buffer {
  const result = Buffer.alloc(4)
  result.writeUInt32LE(crc32(bytes))
  return result
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}

/** xz's numbers: seven bits a byte, the lowest first. */
function number(value: number): Buffer {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left])
    bytes.push((left % 128) | 0x80)
  }
}
