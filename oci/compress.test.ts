import { createHash, randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compress, layerMediaType } from './compress.ts'
import { decompress } from './decompress.ts'
import type { Compression } from './layer-source.ts'
import { pattern } from './tar/testing/tree.ts'
import { collect } from './testing/temporary.ts'

const MIB = 1 << 20
const KILOBYTE_OF_NOISE = randomBytes(1024)

function cut(bytes: Buffer, size: number): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size))
  return parts
}

const KINDS: readonly Compression[] = [
  { kind: 'gzip' },
  { kind: 'gzip', level: 9 },
  { kind: 'zstd' },
  { kind: 'none' },
]

describe.each(KINDS)('compress with $kind $level', (compression) => {
  test.each([0, 1, 511, MIB - 1, MIB, MIB + 1, 9 * MIB + 7])('%i bytes come back', async (size) => {
    const bytes = pattern(size)
    const packed = await collect(compress([bytes], compression))
    expect((await collect(decompress([packed]))).equals(bytes)).toBe(true)
  })

  test('the result does not depend on how the input is cut', async () => {
    const bytes = Buffer.concat([pattern(2 * MIB), randomBytes(MIB), pattern(MIB + 99)])
    const whole = await collect(compress([bytes], compression))
    for (const size of [777_777, MIB, 5 * MIB]) {
      expect((await collect(compress(cut(bytes, size), compression))).equals(whole)).toBe(true)
    }
  })

  test('a block that is overwritten when the next is asked for is compressed right', async () => {
    const bytes = pattern(12 * MIB)
    function* overwriting() {
      const block = Buffer.alloc(MIB)
      for (const part of cut(bytes, MIB)) {
        part.copy(block)
        yield block
      }
    }
    const packed = await collect(compress(overwriting(), compression))
    expect((await collect(decompress([packed]))).equals(bytes)).toBe(true)
  })

  test('an error of the source comes through', async () => {
    function* failing() {
      yield pattern(3 * MIB)
      throw new Error('the source broke')
    }
    await expect(collect(compress(failing(), compression))).rejects.toThrow('the source broke')
  })
})

describe('gzip', () => {
  test('is one member that other readers take, with recorded bytes', async () => {
    const bytes = pattern(3 * MIB + 5)
    const packed = await collect(compress([bytes]))
    expect(zlib.gunzipSync(packed).equals(bytes)).toBe(true)
    expect(packed.subarray(0, 10).toString('hex')).toBe('1f8b08000000000004ff')
  })

  test('compresses every block for itself, whatever stood before it', async () => {
    const text = pattern(MIB)
    const others = await collect(compress([pattern(3 * MIB + 11).subarray(11, 2 * MIB + 11), text]))
    const alone = await collect(compress([text]))
    // Without header and trailer.
    expect(others.includes(alone.subarray(10, -10))).toBe(true)
  })

  test('what repeats itself shrinks, though every byte is as frequent as any other', async () => {
    const bytes = Buffer.concat(Array.from({ length: 1024 }, () => KILOBYTE_OF_NOISE))
    expect((await collect(compress([bytes]))).length).toBeLessThan(bytes.length / 10)
  })

  test('stores what does not shrink', async () => {
    const bytes = randomBytes(2 * MIB)
    const packed = await collect(compress([bytes]))
    expect(packed.length).toBeGreaterThan(bytes.length)
    expect(packed.length).toBeLessThan(bytes.length + 500)
    expect(zlib.gunzipSync(packed).equals(bytes)).toBe(true)
  })

  test('a ring that keeps blocks long enough is used in place', async () => {
    const bytes = pattern(20 * MIB)
    function* ring() {
      const blocks = Array.from({ length: 8 }, () => Buffer.alloc(MIB))
      for (const [index, part] of cut(bytes, MIB).entries()) {
        const block = blocks[index % 8] as Buffer
        part.copy(block)
        yield block
      }
    }
    const packed = await collect(compress(ring(), { kind: 'gzip' }, 7))
    expect(sha(zlib.gunzipSync(packed))).toBe(sha(bytes))
  })
})

test.each([
  [{ kind: 'gzip', level: 0 }],
  [{ kind: 'gzip', level: 10 }],
  [{ kind: 'zstd', level: 20 }],
  [{ kind: 'gzip', level: 1.5 }],
] satisfies [Compression][])('%o is refused', (compression) => {
  expect(() => compress([], compression)).toThrow(expect.objectContaining({ code: 'OCI_COMPRESSION_LEVEL' }))
})

test('media types', () => {
  expect(KINDS.map(layerMediaType)).toEqual([
    'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.oci.image.layer.v1.tar+zstd',
    'application/vnd.oci.image.layer.v1.tar',
  ])
})

describe('decompress', () => {
  const members = Array.from({ length: 500 }, (_, index) => Buffer.from(`part ${index} `.repeat(index % 7)))
  const whole = Buffer.concat(members)

  test.each([1, 7, 777, 100_000])('many members or frames, in pieces of %i bytes', async (size) => {
    for (const pack of [zlib.gzipSync, zlib.zstdCompressSync]) {
      const packed = Buffer.concat(members.map((member) => pack(member)))
      expect((await collect(decompress(cut(packed, size)))).toString()).toBe(whole.toString())
    }
  })

  test('skips skippable zstd frames', async () => {
    const skippable = Buffer.from('50 2a 4d 18 03 00 00 00 01 02 03'.replaceAll(' ', ''), 'hex')
    const packed = Buffer.concat([skippable, zlib.zstdCompressSync(whole), skippable])
    for (const size of [1, 5, packed.length]) {
      expect((await collect(decompress(cut(packed, size)))).equals(whole)).toBe(true)
    }
  })

  test.each(['gzip', 'zstd'] as const)('%s that ends anywhere too early is an error', async (kind) => {
    const packed = await collect(compress([pattern(5000)], { kind }))
    for (let length = 5; length < packed.length; length += 97) {
      await expect(collect(decompress([packed.subarray(0, length)]))).rejects.toMatchObject({
        code: 'OCI_LAYER_CORRUPT',
      })
    }
  })

  test('damaged bytes never hang and are never taken for others', async () => {
    const bytes = pattern(20_000)
    for (const kind of ['gzip', 'zstd'] as const) {
      const packed = await collect(compress([bytes], { kind }))
      await fc.assert(
        fc.asyncProperty(fc.nat(packed.length - 11), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
          const damaged = Buffer.from(packed)
          // Behind the header, whose fields of no meaning may change.
          damaged[at + 10] = (damaged[at + 10] as number) ^ flip
          const result = await collect(decompress([damaged])).catch((error: unknown) => error)
          if (Buffer.isBuffer(result)) expect(result.equals(bytes)).toBe(true)
          else expect(result).toMatchObject({ code: 'OCI_LAYER_CORRUPT' })
        }),
        { numRuns: 150 },
      )
    }
  })

  test('stops at the limit', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(50 * MIB))
    await expect(collect(decompress([bomb], { limit: MIB }))).rejects.toMatchObject({
      code: 'OCI_LAYER_TOO_LARGE',
    })
  })

  test('closes its source when nobody reads on', async () => {
    let closed = false
    async function* source() {
      try {
        for (;;) yield zlib.gzipSync(randomBytes(MIB))
      } finally {
        closed = true
      }
    }
    for await (const _ of decompress(source())) break
    await expect.poll(() => closed).toBe(true)
  })

  test('an error of the source comes through', async () => {
    async function* source() {
      yield zlib.gzipSync(pattern(MIB)).subarray(0, 1000)
      throw new Error('connection lost')
    }
    await expect(collect(decompress(source()))).rejects.toThrow('connection lost')
  })
})

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
