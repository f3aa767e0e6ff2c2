import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeXz } from './testing/make.ts'
import { type XzInput, type XzPool, xzPool } from './xz.ts'

/** `printf 'hello xz, hello xz, hello xz\\n' | xz -9e` */
const COMPRESSED = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AAcABJdADQZSe6N6RfQtRJ3w4vNt9gAAAAAABmIDu7tzTl9AAEuHd7Qh0gftvN9AQAAAAAEWVo=',
  'base64',
)
/** The beginning of a file that asks for a dictionary of 256 MiB. */
const GREEDY = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhASAAAAAJiKV2//8RAWxdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLT',
  'base64',
)

let pool: XzPool
beforeAll(() => {
  pool = xzPool({ size: 2 })
})
afterAll(() => pool[Symbol.asyncDispose]())

async function unpack(input: XzInput, maxBytes?: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of pool.decompress(input, 'x.xz', maxBytes)) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

test('gives back what the xz program compressed', async () => {
  expect((await unpack({ bytes: COMPRESSED })).toString()).toBe('hello xz, hello xz, hello xz\n')
})

test('reads a range of a file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'xz-'))
  try {
    const path = join(directory, 'some')
    writeFileSync(path, Buffer.concat([Buffer.from('before'), COMPRESSED, Buffer.from('behind')]))
    const range = { path, offset: 6, size: COMPRESSED.length }
    expect((await unpack(range)).toString()).toMatch(/^hello xz/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('more jobs than threads, larger than what may be on the way', async () => {
  const contents = Array.from({ length: 5 }, (_, index) => Buffer.alloc(6_500_000 + index, index + 65))
  const unpacked = await Promise.all(contents.map((content) => unpack({ bytes: makeXz(content) })))
  for (const [index, content] of contents.entries()) expect(unpacked[index]?.equals(content)).toBe(true)
})

test.each([
  ['no xz', Buffer.from('this is not xz at all, not at all')],
  ['nothing', Buffer.alloc(0)],
  ['a file that is cut off', COMPRESSED.subarray(0, COMPRESSED.length - 20)],
  ['a damaged file', makeXz(Buffer.from('some content')).fill(0x7f, 27, 30)],
  ['a dictionary larger than anybody needs', GREEDY],
])('refuses %s, and the next job is not disturbed', async (_, bytes) => {
  await expect(unpack({ bytes })).rejects.toMatchObject({ code: 'SOURCE_XZ_INVALID', subject: 'x.xz' })
  expect((await unpack({ bytes: COMPRESSED })).length).toBe(29)
})

test('ends a job that unpacks to more than it may', async () => {
  await expect(unpack({ bytes: makeXz(Buffer.alloc(3_000_000)) }, 2_000_000)).rejects.toMatchObject({
    code: 'SOURCE_XZ_TOO_LARGE',
  })
})

test('a consumer that stops early leaves nothing behind', async () => {
  for (let round = 0; round < 3; round++) {
    for await (const chunk of pool.decompress({ bytes: makeXz(Buffer.alloc(20_000_000)) }, 'x.xz')) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
  }
  expect((await unpack({ bytes: COMPRESSED })).length).toBe(29)
})

test('a thread that cannot start is an error, not a hang', async () => {
  await using broken = xzPool({ size: 1, worker: new URL('./missing-worker.ts', import.meta.url) })
  const job = broken.decompress({ bytes: COMPRESSED }, 'x.xz')[Symbol.asyncIterator]().next()
  await expect(job).rejects.toMatchObject({ code: 'SOURCE_XZ_THREAD_FAILED' })
})
