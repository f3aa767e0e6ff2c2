import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { mountedRoot } from '../../core/root.ts'
import { collect, temporaryDirectory } from '../testing/temporary.ts'
import { encodeHeader, LAYER_TIME, type TarEntry } from './header.ts'
import { tarParser } from './reader.ts'
import { type GoProgram, goProgram } from './testing/go-program.ts'
import { makeTree, RECORDED } from './testing/tree.ts'
import { directoryLayer, pathsLayer, walk } from './walk.ts'

/** Our tars against Go's archive/tar, driven as the Go lifecycle does. */

let program: GoProgram

beforeAll(() => {
  program = goProgram(join(import.meta.dirname, 'testing', 'gotar'))
})

afterAll(() => program[Symbol.dispose]())

const gotar = (args: readonly string[], input?: string) => program.run(args, input)
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('the same bytes', () => {
  test('of a tree', async () => {
    const host = temporaryDirectory()
    makeTree(host)
    const path = containerPath('/layers/bp/layer')
    const owner = { uid: 1_000_620_000, gid: 1001, owned: [containerPath('/layers')] }
    const ours = await collect(directoryLayer(mountedRoot('/', [{ path, host }]), path, owner).blocks())
    const parents = ['/layers:1000620000:1001', '/layers/bp:1000620000:1001']
    const theirs = gotar(['walk', host, path, '1000620000', '1001', ...parents])
    expect(sha(ours)).toBe(sha(theirs))
    expect(sha(theirs)).toBe(RECORDED.tree)
  })

  test('of a slice', async () => {
    const host = temporaryDirectory()
    makeTree(host)
    // Arguments of a process are text: the one name that is no UTF-8 goes as bytes through a file.
    const path = containerPath('/workspace')
    const root = mountedRoot('/', [{ path, host }])
    const paths = [...walk(root, path)].map((found) => found.path)
    const ours = await collect(
      pathsLayer(root, path, paths, { uid: 1000, gid: 1001, owned: [path] }).blocks(),
    )
    const list = join(temporaryDirectory(), 'paths')
    writeFileSync(list, Buffer.from(paths.join('\0'), 'latin1'))
    const theirs = gotar(['sorted', host, path, '1000', '1001', list])
    expect(sha(ours)).toBe(sha(theirs))
    expect(sha(theirs)).toBe(RECORDED.slice)
  })

  test('of the launcher and process types', () => {
    const entry = (name: string, flag: string, size = 0, linkname = '') => ({
      name,
      flag,
      size,
      linkname,
      mode: 0o755,
    })
    const theirs = headersOf([
      entry('/cnb', '5'),
      entry('/cnb/lifecycle', '5'),
      entry('/cnb/lifecycle/launcher', '0', 8),
      entry('/cnb/process/web', '2', 0, '/cnb/lifecycle/launcher'),
    ])
    const body = Buffer.alloc(512)
    body.write('launcher')
    expect(
      sha(Buffer.concat([theirs.subarray(0, 1536), body, theirs.subarray(1536), Buffer.alloc(1024)])),
    ).toBe(RECORDED.launcher)
  })

  test('of any header', () => {
    const component = fc
      .uint8Array({ minLength: 1, maxLength: 130 })
      .map((bytes) =>
        Buffer.from(bytes.map((byte) => (byte % 3 === 0 ? 0x2e : byte === 0 || byte === 0x2f ? 0x61 : byte))),
      )
      .map((bytes) => bytes.toString('latin1'))
    const ascii = fc.integer({ min: 1, max: 160 }).map((length) => 'n'.repeat(length))
    const name = fc
      .array(fc.oneof(component, ascii), { minLength: 1, maxLength: 5 })
      .map((parts) => `/${parts.join('/')}`)
    const number = (bits: number) =>
      fc.oneof(fc.nat(2000), fc.integer({ min: 2 ** (bits - 1), max: 2 ** bits + 5 }), fc.nat(2 ** 31 - 1))
    const fields = {
      name,
      linkname: fc.oneof(name, fc.constant('')),
      flag: fc.constantFrom('0', '1', '2', '3', '4', '5', '6'),
      mode: fc.nat(0o7777),
      uid: number(21),
      gid: number(21),
      size: fc.oneof(fc.nat(2 ** 31 - 1), fc.integer({ min: 2 ** 33 - 5, max: 2 ** 40 })),
      mtime: fc.oneof(
        fc.constant(LAYER_TIME),
        fc.integer({ min: -5, max: 5 }),
        fc.integer({ min: 2 ** 33 - 3, max: 2 ** 35 }),
      ),
    }
    const headers = fc.sample(fc.record(fields), { numRuns: 5000, seed: 1 })
    const theirs = headersOf(headers)
    let at = 0
    for (const header of headers) {
      const ours = encodeHeader(entryOf(header))
      expect(ours.toString('latin1'), JSON.stringify(header)).toBe(
        theirs.toString('latin1', at, at + ours.length),
      )
      at += ours.length
    }
    expect(at).toBe(theirs.length)
  })
})

test('a file of more than 8 GiB', () => {
  const host = temporaryDirectory()
  const size = 2 ** 33 + 1
  const fd = openSync(`${host}/huge`, 'w')
  ftruncateSync(fd, size)
  writeSync(fd, 'end', size - 3)
  closeSync(fd)
  const path = containerPath('/layer')
  const source = directoryLayer(mountedRoot('/', [{ path, host }]), path, { uid: 0, gid: 0, owned: [] })
  let read = 0
  let tail = ''
  const entries: TarEntry[] = []
  const parser = tarParser({
    entry: (entry) => entries.push(entry),
    data(bytes) {
      read += bytes.length
      tail = Buffer.from(bytes.subarray(-3)).toString()
    },
    end() {},
  })
  let total = 0
  for (const block of source.blocks() as Iterable<Uint8Array>) {
    total += block.length
    parser.push(block)
  }
  parser.finish()
  expect(entries[1]).toMatchObject({ name: '/layer/huge', size })
  expect([read, tail]).toEqual([size, 'end'])
  // Directory, PAX header with its body, header, contents padded, end.
  expect(total).toBe(512 + 1536 + (size + 511) + 1024)
})

interface GoHeader {
  readonly name: string
  readonly linkname: string
  readonly flag: string
  readonly mode: number
  readonly uid?: number
  readonly gid?: number
  readonly size: number
  readonly mtime?: number
}

function headersOf(headers: readonly GoHeader[]): Buffer {
  const lines = headers.map((header) => {
    const { name, linkname, flag, mode, uid = 0, gid = 0, mtime = LAYER_TIME } = header
    const entry = entryOf(header)
    return JSON.stringify({
      Name: Buffer.from(name, 'latin1').toString('base64'),
      Linkname: 'linkname' in entry ? Buffer.from(linkname, 'latin1').toString('base64') : '',
      Flag: flag,
      Mode: mode,
      Uid: uid,
      Gid: gid,
      Size: 'size' in entry ? entry.size : 0,
      Mtime: mtime,
      Maj: 'major' in entry ? entry.major : 0,
      Min: 'minor' in entry ? entry.minor : 0,
    })
  })
  return gotar(['headers'], lines.join('\n'))
}

function entryOf(header: GoHeader): TarEntry {
  const { name, linkname, mode, uid = 0, gid = 0, size, mtime = LAYER_TIME } = header
  const fields = { name, mode, uid, gid, mtime }
  switch (header.flag) {
    case '0':
      return { type: 'file', ...fields, size }
    case '1':
      return { type: 'hardlink', ...fields, linkname }
    case '2':
      return { type: 'symlink', ...fields, linkname }
    case '3':
      return { type: 'character-device', ...fields, major: 8, minor: 300 }
    case '4':
      return { type: 'block-device', ...fields, major: 259, minor: 1 }
    case '5':
      return { type: 'directory', ...fields }
    default:
      return { type: 'fifo', ...fields }
  }
}
