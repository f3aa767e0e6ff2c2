import { expect, test } from 'vitest'
import { collect } from '../testing/temporary.ts'
import { LAYER_TIME, type TarEntry } from './header.ts'
import { normalizedLayer } from './normalize.ts'
import { readEntries } from './testing/read-entries.ts'
import { type LayerEntry, tarBlocks } from './writer.ts'

const at = { mode: 0o640, uid: 7, gid: 8 }

function tar(mtime: number): Buffer {
  const entries: LayerEntry[] = [
    { ...at, type: 'directory', name: 'd/', mtime },
    { ...at, type: 'file', name: 'd/file', content: Buffer.alloc(3_000_001, 'x'), mtime },
    { ...at, type: 'file', name: 'd/empty', content: Buffer.alloc(0), mtime },
    { ...at, type: 'symlink', name: 'd/link', linkname: 'file', mtime },
    { ...at, type: 'hardlink', name: 'd/hard', linkname: 'd/file', mtime },
    { ...at, type: 'file', name: `d/${'n'.repeat(300)}`, content: Buffer.from('long'), mtime },
  ]
  return Buffer.concat([...tarBlocks(entries)].map((block) => Buffer.from(block)))
}

const normal = (bytes: Buffer) =>
  collect(
    normalizedLayer(async function* () {
      for (let from = 0; from < bytes.length; from += 100_001) yield bytes.subarray(from, from + 100_001)
    }).blocks() as AsyncIterable<Uint8Array>,
  )

test('contents, names, modes and owners stay; times and the bytes with them are equal', async () => {
  const normalized = await normal(tar(1_700_000_000))
  expect(normalized.equals(await normal(tar(1_600_000_000)))).toBe(true)
  const plain = (found: ReturnType<typeof readEntries>): readonly (readonly [TarEntry, string])[] =>
    found.map(({ entry, data }) => [{ ...entry, mtime: LAYER_TIME }, data.toString('latin1')])
  expect(plain(readEntries(normalized))).toEqual(plain(readEntries(tar(1))))
  expect(readEntries(normalized).every(({ entry }) => entry.mtime === LAYER_TIME)).toBe(true)
})

test('a tar that ends in the middle is an error', async () => {
  await expect(normal(tar(1).subarray(0, 5000))).rejects.toThrow('a tar ends in the middle')
})
