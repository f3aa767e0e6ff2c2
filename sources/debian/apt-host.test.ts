import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readAptHost } from './apt-host.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'apt-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function put(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}

const read = () => readAptHost(join(directory, 'etc/apt'), join(directory, 'lists'))

test('a machine without apt has nothing', () => {
  expect(read()).toEqual({ archives: { main: [], security: [] }, proxies: {}, checksValidity: true })
})

test('reads every file that apt reads', () => {
  put('etc/apt/sources.list', 'deb http://a.example/debian trixie main\n')
  put('etc/apt/sources.list.d/b.list', 'deb http://b.example/debian trixie-security main\n')
  put('etc/apt/sources.list.d/b.list.bak', 'deb http://wrong.example/debian trixie main\n')
  put(
    'etc/apt/sources.list.d/c.sources',
    'Types: deb\nURIs: http://c.example/debian\nSuites: sid\nComponents: main\n',
  )
  put('etc/apt/apt.conf.d/90proxy', 'Acquire::http::Proxy "http://one.example:1";')
  put('etc/apt/apt.conf', 'Acquire::http::Proxy "http://two.example:2"; Acquire::Check-Valid-Until "no";')
  expect(read()).toEqual({
    archives: {
      main: ['http://a.example/debian/', 'http://c.example/debian/'],
      security: ['http://b.example/debian/'],
    },
    proxies: { http: 'http://two.example:2', https: 'http://two.example:2' },
    checksValidity: false,
  })
})

test('an archive counts only where its Release says that its origin is Debian, or is not known yet', () => {
  const uris = ['debian', 'vendor', 'unknown', 'plain'].map(
    (name) => `deb http://${name}.example/x stable main`,
  )
  put('etc/apt/sources.list', uris.join('\n'))
  const signed = (origin: string) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: ${origin}\nLabel: x\n-----BEGIN PGP SIGNATURE-----\n`
  put('lists/debian.example_x_dists_stable_InRelease', signed('Debian'))
  put('lists/vendor.example_x_dists_stable_InRelease', signed('Vendor'))
  put('lists/plain.example_x_dists_stable_Release', 'Origin: Vendor\n')
  expect(read().archives.main).toEqual(['http://debian.example/x/', 'http://unknown.example/x/'])
})

test('follows a list of mirrors', () => {
  put('mirrors.list', 'http://m.example/debian\n')
  put('etc/apt/sources.list', `deb mirror+file:${join(directory, 'mirrors.list')} trixie main\n`)
  expect(read().archives.main).toEqual(['http://m.example/debian/'])
})
