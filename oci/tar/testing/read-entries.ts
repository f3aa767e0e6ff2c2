import type { TarEntry } from '../header.ts'
import { tarParser } from '../reader.ts'

/** All of an archive in memory, read in pieces of `cut` bytes. */
export function readEntries(
  archive: Buffer,
  cut = 65_536,
): { readonly entry: TarEntry; readonly data: Buffer }[] {
  const found: { entry: TarEntry; data: Buffer }[] = []
  const parser = tarParser({
    entry: (entry) => found.push({ entry, data: Buffer.alloc(0) }),
    data(bytes) {
      const last = found.at(-1)
      if (last !== undefined) last.data = Buffer.concat([last.data, bytes])
    },
    end() {},
  })
  for (let at = 0; at < archive.length; at += cut) parser.push(archive.subarray(at, at + cut))
  parser.finish()
  return found
}
