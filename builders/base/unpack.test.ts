import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EventBody } from '../../core/event.ts'
import { type XzPool, xzPool } from '../../sources/archive/xz.ts'
import type { FetchedPackage } from '../../sources/debian/fetch.ts'
import { makePackage, type PackageDraft } from '../testing/packages.ts'
import { openSpool, type Spool } from './spool.ts'
import { isKept, treeOf, unpackPackages } from './unpack.ts'

let directory: string
let pool: XzPool
let spool: Spool
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'unpack-'))
  pool = xzPool({ size: 2 })
  spool = openSpool(join(directory, 'spool'))
})
afterAll(async () => {
  await pool[Symbol.asyncDispose]()
  spool[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

async function unpack(...drafts: PackageDraft[]) {
  const events: EventBody[] = []
  const packages = await Promise.all(
    drafts.map(async (draft): Promise<FetchedPackage> => {
      const { name, version, deb } = await makePackage(draft)
      const path = join(directory, `${name}.deb`)
      writeFileSync(path, deb)
      const record = {
        name,
        version,
        architecture: 'all',
        archive: 'main',
        filename: '',
        size: deb.length,
        sha256: '',
        priority: '',
        depends: '',
        preDepends: '',
        conflicts: '',
        breaks: '',
        provides: '',
      } as const
      return { record, path }
    }),
  )
  const unpacked = await unpackPackages(packages, spool, pool, {
    emit: (event) => events.push(event),
    task: 'unpack',
  })
  return { unpacked, events }
}

test('the tree of some packages', async () => {
  const { unpacked, events } = await unpack(
    {
      name: 'one',
      files: {
        './': undefined,
        './usr': undefined,
        './bin/one': 'one',
        './usr/bin/two': '=> ./bin/one',
        './usr/lib/x': '-> ../bin/one',
        './var/mail': undefined,
        './usr/share/man/man1/one.1': 'manual',
        './usr/share/doc/one/copyright': 'free',
        './usr/share/locale/de/LC_MESSAGES/one.mo': 'eins',
      },
      modes: { './bin/one': 0o6755, './var/mail': 0o2775 },
    },
    { name: 'two', files: { './usr': undefined, './usr/big': Buffer.alloc(2_000_000, 'big') } },
  )
  const tree = treeOf(unpacked)
  expect(tree.entries().map(([path, { type, mode }]) => `${path} ${type} ${mode.toString(8)}`)).toEqual([
    'usr directory 755',
    'usr/big file 644',
    'usr/bin directory 755',
    'usr/bin/one file 755',
    'usr/bin/two hardlink 755',
    'usr/lib directory 755',
    'usr/lib/x symlink 777',
    'usr/share directory 755',
    'usr/share/doc directory 755',
    'usr/share/doc/one directory 755',
    'usr/share/doc/one/copyright file 644',
    'var directory 755',
    'var/lib directory 755',
    'var/lib/dpkg directory 755',
    'var/lib/dpkg/status.d directory 755',
    'var/lib/dpkg/status.d/one file 644',
    'var/lib/dpkg/status.d/one.md5sums file 644',
    'var/lib/dpkg/status.d/two file 644',
    'var/lib/dpkg/status.d/two.md5sums file 644',
    'var/mail directory 775',
  ])
  const big = tree.get('usr/big')
  expect(big?.type === 'file' && !(big.content instanceof Uint8Array) && spool.bytes(big.content)).toEqual(
    new Uint8Array(Buffer.alloc(2_000_000, 'big')),
  )
  expect(events.at(-1)).toEqual({ type: 'task-progress', task: 'unpack', done: 2, total: 2, unit: 'items' })
})

test('a package with an install script that nobody has read ends everything', async () => {
  await expect(
    unpack(
      { name: 'harmless', files: {}, scripts: { prerm: 'exit 0', triggers: 'activate x' } },
      { name: 'unknown', files: {}, scripts: { postinst: 'adduser x' } },
    ),
  ).rejects.toMatchObject({ code: 'BUILDERS_SCRIPT_UNKNOWN', subject: 'unknown' })
})

test('a reviewed package may have scripts', async () => {
  const { unpacked } = await unpack({
    name: 'bash',
    files: { './bin/bash': 'x' },
    scripts: { postinst: 'exit 1' },
  })
  expect(unpacked[0]?.name).toBe('bash')
})

test('a path that leads out ends everything', async () => {
  await expect(unpack({ name: 'bad', files: { './../../etc/passwd': 'x' } })).rejects.toMatchObject({
    code: 'BUILDERS_PATH_INVALID',
    subject: 'bad',
  })
})

test('two packages with the same file', async () => {
  const { unpacked } = await unpack(
    { name: 'one', files: { './a': 'x' } },
    { name: 'two', files: { './a': 'y' } },
  )
  expect(() => treeOf(unpacked)).toThrow(
    expect.objectContaining({ code: 'BUILDERS_FILE_CONFLICT', subject: 'a' }),
  )
})

test.each([
  ['usr/share/doc/bash', true],
  ['usr/share/doc/bash/copyright', true],
  ['usr/share/doc/bash/README', false],
  ['usr/share/doc/bash/examples/copyright', false],
  ['usr/share/man/man1/x', false],
  ['usr/share/manual', true],
  ['usr/share/locale/de/x.mo', false],
  ['usr/share/locale/locale.alias', true],
  ['usr/lib/locale/C.utf8/LC_CTYPE', true],
])('%s is kept: %s', (path, kept) => {
  expect(isKept(path)).toBe(kept)
})
