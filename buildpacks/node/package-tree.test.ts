import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { walkTree } from '../sdk/index.ts'
import { parseLockFile } from './lock-file.ts'
import { copyProduction, firstChange, markTime, removeScratch, removeTraces } from './package-tree.ts'

let root: string
let modules: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-tree-'))
  modules = join(root, 'node_modules')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function put(path: string, text = ''): void {
  mkdirSync(dirname(join(modules, path)), { recursive: true })
  writeFileSync(join(modules, path), text)
}
const paths = (directory: string) => [...walkTree(directory)].map(({ path }) => path)

const LOCK = parseLockFile(
  JSON.stringify({
    packages: {
      'node_modules/a': { version: '1' },
      'node_modules/a/node_modules/n': { version: '1' },
      'node_modules/dev': { version: '1', dev: true },
      'node_modules/dev/node_modules/n': { version: '1', dev: true },
      'node_modules/@types/x': { version: '1', dev: true },
      'node_modules/@mixed/dev': { version: '1', dev: true },
      'node_modules/@mixed/prod': { version: '1' },
      'node_modules/both': { version: '1', devOptional: true },
    },
  }),
  'package-lock.json',
)

describe('copyProduction', () => {
  it('leaves development packages out, with their programs and empty scopes', () => {
    for (const path of [
      'a/index.js',
      'a/node_modules/n/x',
      'dev/index.js',
      'dev/node_modules/n/x',
      '@types/x/i.d.ts',
    ])
      put(path)
    for (const path of [
      '@mixed/dev/x',
      '@mixed/prod/x',
      'both/x',
      '.prisma/client.js',
      '.cache/big',
      '.package-lock.json',
    ])
      put(path)
    chmodSync(join(modules, 'a/index.js'), 0o755)
    mkdirSync(join(modules, '.bin'))
    symlinkSync('../a/index.js', join(modules, '.bin', 'a'))
    symlinkSync('../dev/index.js', join(modules, '.bin', 'dev'))
    mkdirSync(join(modules, 'a/node_modules/.bin'))
    symlinkSync('../n/x', join(modules, 'a/node_modules/.bin/n'))

    const target = join(root, 'out')
    copyProduction(modules, target, LOCK)
    expect(paths(target)).toEqual([
      '.bin',
      '.bin/a',
      '.prisma',
      '.prisma/client.js',
      '@mixed',
      '@mixed/prod',
      '@mixed/prod/x',
      'a',
      'a/index.js',
      'a/node_modules',
      'a/node_modules/.bin',
      'a/node_modules/.bin/n',
      'a/node_modules/n',
      'a/node_modules/n/x',
      'both',
      'both/x',
    ])
    expect(lstatSync(join(target, 'a/index.js')).mode & 0o777).toBe(0o755)
    expect(readlinkSync(join(target, '.bin/a'))).toBe('../a/index.js')
  })

  it('copies names that are no UTF-8', () => {
    const name = Buffer.concat([Buffer.from(`${modules}/a/`), Buffer.from([0xff, 0xe9])])
    put('a/x')
    writeFileSync(name, 'bytes')
    copyProduction(modules, join(root, 'out'), LOCK)
    expect(paths(join(root, 'out'))).toEqual(['a', 'a/x', 'a/\xff\xe9'])
  })
})

describe('removeTraces', () => {
  it("takes addresses out of npm's hidden lock and node-gyp's scratch out of packages", () => {
    const packages = {
      'node_modules/a': { version: '1', resolved: 'https://mirror.example/a.tgz', integrity: 'sha512-x' },
      'node_modules/g': { version: '1', resolved: 'git+ssh://git@host/g.git#1' },
    }
    put('.package-lock.json', JSON.stringify({ name: 'x', packages }))
    for (const path of [
      'config.gypi',
      'Makefile',
      'binding.Makefile',
      'x.target.mk',
      'Release/x.node',
      'Release/.deps/d',
      'Release/obj.target/x.o',
    ])
      put(`a/build/${path}`)
    put('@mixed/prod/build/Makefile')
    removeTraces(modules, LOCK)
    expect(JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages).toEqual({
      'node_modules/a': { version: '1', integrity: 'sha512-x' },
      'node_modules/g': { version: '1', resolved: 'git+ssh://git@host/g.git#1' },
    })
    expect(paths(join(modules, 'a'))).toEqual(['build', 'build/Release', 'build/Release/x.node'])
    // A directory "build" that no compiler made stays.
    expect(paths(join(modules, '@mixed'))).toContain('prod/build/Makefile')
  })

  it('does nothing where nothing is', () => {
    mkdirSync(modules)
    removeTraces(modules, LOCK)
    expect(paths(modules)).toEqual([])
  })
})

describe('firstChange', () => {
  it('finds what was written, replaced or removed, caches apart', () => {
    put('a/index.js', '1')
    put('a/other.js', '1')
    // The clock of a file system has coarse ticks: wait for the next one by asking it.
    const settled = () => {
      const start = markTime(root)
      for (;;) {
        const now = markTime(root)
        if (now > start) return now
      }
    }
    let since = settled()
    expect(firstChange(modules, since)).toBeUndefined()
    put('.cache/x')
    put('.vite/x')
    expect(firstChange(modules, since)).toBeUndefined()
    removeScratch(modules)
    settled()
    put('a/index.js', '2')
    expect(firstChange(modules, since)).toBe('a/index.js')
    since = settled()
    settled()
    rmSync(join(modules, 'a/other.js'))
    expect(firstChange(modules, since)).toBe('a')
    since = settled()
    settled()
    put('.prisma/client.js')
    expect(firstChange(modules, since)).toBe('.prisma')
  })
})
