import { Readable } from 'node:stream'
import fc from 'fast-check'
import tarStream from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { collect } from '../testing/temporary.ts'
import { checksum, encodeHeader, paddingOf, type TarEntry } from './header.ts'
import { readTar, tarParser } from './reader.ts'
import { readEntries } from './testing/read-entries.ts'
import { tarBlocks } from './writer.ts'

const END = Buffer.alloc(1024)

/** A header block with raw fields, sealed. */
function block(fields: Record<number, string | Buffer>, flag = '0', magic = 'ustar\x0000'): Buffer {
  const header = encodeHeader({ type: 'file', name: 'f', mode: 0o644, uid: 0, gid: 0, size: 0 })
  header.write(flag, 156, 'latin1')
  header.fill(0, 257, 265).write(magic, 257, 'latin1')
  for (const [at, value] of Object.entries(fields)) {
    if (typeof value === 'string') header.write(value, Number(at), 'latin1')
    else value.copy(header, Number(at))
  }
  return seal(header)
}

function seal(header: Buffer): Buffer {
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function withBody(flag: string, body: string, magic?: string): Buffer {
  const bytes = Buffer.from(body, 'latin1')
  const size = bytes.length.toString(8).padStart(11, '0')
  return Buffer.concat([block({ 124: size }, flag, magic), bytes, Buffer.alloc(paddingOf(bytes.length))])
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return `${length}${rest}`
}

function only(...parts: Buffer[]): TarEntry {
  const [first, ...others] = readEntries(Buffer.concat([...parts, END]))
  expect(others).toEqual([])
  return (first as { entry: TarEntry }).entry
}

function code(archive: Buffer): string {
  try {
    readEntries(archive, 100)
  } catch (error) {
    if (error instanceof SlipwayError) return error.code
    throw error
  }
  return 'none'
}

describe('forms of headers', () => {
  test('PAX records stand above the header, for one entry', () => {
    const pax = [
      record('path', 'a/b'),
      record('linkpath', 'there'),
      record('uid', '3000000'),
      record('gid', '4000000'),
      record('mtime', '1700000000.5'),
      record('SCHILY.xattr.user.x', 'a=b\nc'),
    ].join('')
    const entries = readEntries(Buffer.concat([withBody('x', pax), block({}, '2'), block({}), END]))
    expect(entries.map(({ entry }) => entry)).toEqual([
      {
        type: 'symlink',
        name: 'a/b',
        linkname: 'there',
        mode: 0o644,
        uid: 3_000_000,
        gid: 4_000_000,
        mtime: 1_700_000_000,
      },
      { type: 'file', name: 'f', mode: 0o644, uid: 0, gid: 0, mtime: 315_532_801, size: 0 },
    ])
  })

  test('a PAX size counts, also for where the next header is', () => {
    const body = Buffer.alloc(600, 1)
    const entries = readEntries(
      Buffer.concat([
        withBody('x', record('size', '600')),
        block({}),
        body,
        Buffer.alloc(424),
        block({ 0: 'g' }),
        END,
      ]),
    )
    expect(entries.map(({ entry, data }) => [entry.name, data.length])).toEqual([
      ['f', 600],
      ['g', 0],
    ])
  })

  test('global PAX records hold until they are taken back', () => {
    const names = readEntries(
      Buffer.concat([
        withBody('g', record('gid', '77') + record('comment', 'commit')),
        block({ 0: '1' }),
        withBody('x', record('gid', '78')),
        block({ 0: '2' }),
        withBody('g', record('gid', '')),
        block({ 0: '3' }),
        END,
      ]),
    ).map(({ entry }) => [entry.name, entry.gid])
    expect(names).toEqual([
      ['1', 77],
      ['2', 78],
      ['3', 0],
    ])
  })

  test('GNU long names and links', () => {
    const long = 'n'.repeat(1000)
    const entry = only(
      withBody('L', `${long}\0`, 'ustar  \0'),
      withBody('K', `${long}target\0`, 'ustar  \0'),
      block({}, '2', 'ustar  \0'),
    )
    expect(entry).toMatchObject({ type: 'symlink', name: long, linkname: `${long}target` })
  })

  test('what stands in the prefix is a name in POSIX only: GNU has times there', () => {
    expect(only(block({ 345: 'dir' })).name).toBe('dir/f')
    expect(only(block({ 345: '14000000000' }, '0', 'ustar  \0')).name).toBe('f')
    expect(only(block({ 345: 'dir' }, '0', '')).name).toBe('f')
  })

  test('base 256 numbers', () => {
    const uid = Buffer.from('8000000040000000', 'hex')
    const mtime = Buffer.from('ffffffffffffffffffffffff', 'hex')
    expect(only(block({ 108: uid, 136: mtime }))).toMatchObject({ uid: 2 ** 30, mtime: -1 })
  })

  test('numbers as old writers leave them', () => {
    const entry = only(block({ 100: '   755 \0', 108: '\0\0\0\0\0\0\0\0', 116: '0000012\0' }))
    expect(entry).toMatchObject({ mode: 0o755, uid: 0, gid: 10 })
  })

  test('a name with a slash at its end is a directory, whatever the flag says', () => {
    expect(only(block({ 0: 'dir/\0' }, '\0')).type).toBe('directory')
  })

  test('a checksum of signed bytes is taken', () => {
    const header = block({ 0: '\xff\xfe' })
    const signed = checksum(header) - 512
    header.write(`${signed.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    expect(only(header).name).toBe('\xff\xfe')
  })

  test('links and directories have no body, whatever their size says', () => {
    const entries = readEntries(Buffer.concat([block({ 124: '00000001000' }, '1'), block({ 0: 'g' }), END]))
    expect(entries.map(({ entry }) => entry.type)).toEqual(['hardlink', 'file'])
  })

  test('unknown types are told with their bodies', () => {
    expect(only(withBody('V', 'volume'))).toMatchObject({ type: 'other', flag: 'V', size: 6 })
  })
})

describe('ends', () => {
  const entry = block({})
  test.each([
    ['two zero blocks', [entry, END]],
    ['more than two, and anything behind them', [entry, END, END, Buffer.from('rubbish')]],
    ['one zero block', [entry, END.subarray(512)]],
    ['none', [entry]],
    ['nothing at all', []],
  ])('%s', (_, parts) => {
    expect(code(Buffer.concat(parts))).toBe('none')
  })

  test.each([
    ['in a header', [entry, entry.subarray(0, 300)]],
    ['in a body', [withBody('0', 'x'.repeat(600)).subarray(0, 900)]],
    ['in the padding', [withBody('0', 'x').subarray(0, 600)]],
    ['behind an extended header', [withBody('x', record('path', 'p'))]],
  ])('not %s', (_, parts) => {
    expect(code(Buffer.concat(parts))).toBe('OCI_TAR_TRUNCATED')
  })
})

describe('hostile archives', () => {
  test.each([
    ['a wrong checksum', [Buffer.alloc(512, 1)]],
    ['an entry between the zero blocks', [END.subarray(512), block({})]],
    ['an extended header before the end', [withBody('x', record('path', 'p')), END]],
    ['a size that is no number', [block({ 124: '0000000x000' })]],
    ['a negative size', [block({ 124: Buffer.from('ffffffffffffffffffffffff', 'hex') })]],
    ['a size beyond all files', [block({ 124: Buffer.from('807fffffffffffffffffffff', 'hex') })]],
    ['a PAX size beyond all files', [withBody('x', record('size', '9'.repeat(19))), block({})]],
    ['a PAX size that is no number', [withBody('x', record('size', '-1')), block({})]],
    ['a PAX record longer than its header', [withBody('x', '99 path=p\n'), block({})]],
    ['a PAX record without a length', [withBody('x', 'path=p\n'), block({})]],
    ['a second PAX record without a length', [withBody('x', `${record('a', 'b')}rubbish\n`), block({})]],
    ['a PAX record of length 0', [withBody('x', '0 path=p\n'), block({})]],
    ['a PAX record without a key', [withBody('x', '5 =p\n'), block({})]],
    ['a PAX record without its newline', [withBody('x', '10 path=pp'), block({})]],
    ['a name with a NUL byte', [withBody('x', record('path', 'a\0b')), block({})]],
    ['a PAX header of 2 MiB', [block({ 124: '00010000000' }, 'x')]],
    ['a long name of 2 MiB', [block({ 124: '00010000000' }, 'L')]],
    ['a sparse file of GNU', [block({}, 'S', 'ustar  \0')]],
    ['a sparse file in PAX', [withBody('x', record('GNU.sparse.major', '1')), block({})]],
    ['endless global records', Array.from({ length: 1002 }, (_, n) => withBody('g', record(`k${n}`, 'v')))],
  ])('%s', (_, parts) => {
    expect(code(Buffer.concat([...parts, END]))).toBe('OCI_TAR_INVALID')
  })

  test('any bytes end in an answer or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        code(Buffer.from(bytes))
      }),
    )
  })

  test('any damage to an archive ends in an answer or an error of ours', () => {
    const archive = Buffer.concat([
      withBody('x', record('path', 'a/b') + record('size', '700')),
      block({}),
      Buffer.alloc(1024, 1),
      withBody('L', `${'n'.repeat(200)}\0`),
      block({}, '5'),
      withBody('g', record('uid', '5')),
      withBody('0', 'hello'),
      END,
    ])
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (changes, resealed) => {
          const damaged = Buffer.from(archive)
          for (const [at, value] of changes) {
            damaged[at] = value
            const start = at - (at % 512)
            if (resealed) seal(damaged.subarray(start, start + 512))
          }
          code(damaged)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

test('every entry gets its end, and nothing is told after an error', () => {
  const told: string[] = []
  const parser = tarParser({
    entry: (entry) => told.push(entry.name),
    data: (bytes) => told.push(String(bytes.length)),
    end: () => told.push('end'),
  })
  parser.push(Buffer.concat([withBody('0', 'hello'), block({ 0: 'g' })]))
  expect(told).toEqual(['f', '5', 'end', 'g', 'end'])
  expect(() => parser.push(Buffer.alloc(512, 1))).toThrow(SlipwayError)
})

test('reads what tar-stream writes, and tar-stream what we write', async () => {
  const pack = tarStream.pack()
  const big = Buffer.alloc(70_000, 7)
  pack.entry({ name: `${'d'.repeat(150)}/${'f'.repeat(120)}`, mode: 0o640, uid: 5, gid: 6 }, 'hello')
  pack.entry({ name: 'ünïcode', mode: 0o600 }, big)
  pack.entry({ name: 'dir', type: 'directory', mode: 0o750 })
  pack.entry({ name: 'link', type: 'symlink', linkname: 'x'.repeat(200) })
  pack.entry({ name: 'hard', type: 'link', linkname: 'ünïcode' })
  pack.finalize()
  const theirs = await collect(Readable.from(pack))
  const read = readEntries(theirs, 333)
  expect(
    read.map(({ entry, data }) => [entry.type, Buffer.from(entry.name, 'latin1').toString(), data.length]),
  ).toEqual([
    ['file', `${'d'.repeat(150)}/${'f'.repeat(120)}`, 5],
    ['file', 'ünïcode', 70_000],
    ['directory', 'dir', 0],
    ['symlink', 'link', 0],
    ['hardlink', 'hard', 0],
  ])

  const ours = await collect(
    tarBlocks(
      read.map(({ entry, data }) => (entry.type === 'file' ? { ...entry, content: data } : (entry as never))),
    ),
  )
  const extract = tarStream.extract()
  const seen: unknown[] = []
  extract.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk) => {
      chunks.push(chunk as Buffer)
    })
    stream.on('end', () => {
      seen.push([
        header.type,
        header.name,
        header.mode,
        header.uid,
        header.linkname,
        Buffer.concat(chunks).length,
      ])
      next()
    })
  })
  await new Promise<void>((resolve, reject) => {
    extract.on('finish', () => resolve())
    extract.on('error', reject)
    extract.end(ours)
  })
  expect(seen).toEqual([
    ['file', `${'d'.repeat(150)}/${'f'.repeat(120)}`, 0o640, 5, null, 5],
    ['file', 'ünïcode', 0o600, 0, null, 70_000],
    ['directory', 'dir', 0o750, 0, null, 0],
    ['symlink', 'link', expect.any(Number), 0, 'x'.repeat(200), 0],
    ['link', 'hard', expect.any(Number), 0, 'ünïcode', 0],
  ])
})

test('readTar reads to the end of the stream', async () => {
  let ended = false
  async function* chunks() {
    yield block({})
    yield END
    yield Buffer.from('behind the end')
    ended = true
  }
  await readTar(chunks(), { entry() {}, data() {}, end() {} })
  expect(ended).toBe(true)
})
