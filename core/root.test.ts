import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { containerPath } from './container-path.ts'
import { mountedRoot, type Root } from './root.ts'

let folder: string
let root: Root
const at = containerPath

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-root-'))
  mkdirSync(join(folder, 'rootfs/etc'), { recursive: true })
  mkdirSync(join(folder, 'layers/bp'), { recursive: true })
  writeFileSync(join(folder, 'rootfs/etc/passwd'), 'inside')
  writeFileSync(join(folder, 'secret'), 'outside')
  root = mountedRoot(join(folder, 'rootfs'), [{ path: at('/layers'), host: join(folder, 'layers') }])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a mount stands over the directory below it', () => {
  root.write(at('/layers/bp/x.toml'), 'a = 1')
  expect(readFileSync(join(folder, 'layers/bp/x.toml'), 'utf8')).toBe('a = 1')
  expect(root.readText(at('/layers/bp/x.toml'))).toBe('a = 1')
  expect(root.list(at('/layers')).map((entry) => entry.name)).toEqual(['bp'])
})

test('an absolute link is absolute in the container, through a mount too', () => {
  symlinkSync('/etc/passwd', join(folder, 'layers/bp/link'))
  symlinkSync('/layers/bp', join(folder, 'rootfs/to-layers'))
  expect(root.readText(at('/layers/bp/link'))).toBe('inside')
  expect(root.readText(at('/to-layers/link'))).toBe('inside')
})

test.each(['../../../../../../../../secret', '../../secret', '/../../secret'])(
  'no link leads out: %s',
  (target) => {
    symlinkSync(target, join(folder, 'layers/bp/out'))
    expect(root.read(at('/layers/bp/out'))).toBeUndefined()
    symlinkSync(target.replace(/secret$/, ''), join(folder, 'layers/bp/dir'))
    expect(root.read(at('/layers/bp/dir/secret'))).toBeUndefined()
  },
)

test('`..` after a link is the parent of where it led', () => {
  mkdirSync(join(folder, 'rootfs/a/b'), { recursive: true })
  writeFileSync(join(folder, 'rootfs/a/file'), 'a')
  symlinkSync('/a/b', join(folder, 'rootfs/link'))
  symlinkSync('link/../file', join(folder, 'rootfs/up'))
  expect(root.readText(at('/up'))).toBe('a')
})

test('a loop of links is an error that names the path', () => {
  symlinkSync('loop', join(folder, 'rootfs/loop'))
  expect(() => root.read(at('/loop'))).toThrow(
    expect.objectContaining({ code: 'CORE_LINK_LOOP', subject: '/loop' }),
  )
})

test('removing a link leaves what it points to', () => {
  symlinkSync('/etc', join(folder, 'layers/etc'))
  root.remove(at('/layers/etc'))
  expect(root.lstat(at('/layers/etc'))).toBeUndefined()
  expect(root.readText(at('/etc/passwd'))).toBe('inside')
})

test('a name that is not UTF-8 is found, listed and sorted by its bytes', () => {
  const odd = Buffer.from([0x66, 0xff, 0xfe]).toString('latin1')
  root.write(at(`/layers/${odd}`), 'odd')
  root.write(at('/layers/g'), '')
  root.write(at('/layers/Z'), '')
  expect(root.list(at('/layers')).map((entry) => entry.name)).toEqual(['Z', 'bp', odd, 'g'])
  expect(root.readText(at(`/layers/${odd}`))).toBe('odd')
})

test('what is missing is undefined, also below a file', () => {
  expect(root.read(at('/nowhere/x'))).toBeUndefined()
  expect(root.read(at('/etc/passwd/x'))).toBeUndefined()
  expect(root.list(at('/nowhere'))).toEqual([])
})
