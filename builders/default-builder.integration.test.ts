import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHttpClient, httpOptionsFromEnvironment } from '../core/http/index.ts'
import { openLayout } from '../oci/layout/layout.ts'
import { imageLayers } from '../oci/read-image.ts'
import { applyLayer } from '../oci/tar/apply.ts'
import { readAptHost } from '../sources/debian/apt-host.ts'
import type { Architecture } from './base/packages.ts'
import { type DefaultBuilder, ensureDefaultBuilder } from './default-builder.ts'

/** The real thing: Debian's signed index and packages, from wherever this machine's apt gets them. */
const architecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
const native = fileURLToPath(new URL(`../native/built/${architecture}/`, import.meta.url))
const nodePackage = `node-linux-${architecture === 'amd64' ? 'x64' : 'arm64'}`
const node = join(
  dirname(createRequire(import.meta.url).resolve(`${nodePackage}/package.json`)),
  'bin',
  'node',
)

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'default-builder-'))
  mkdirSync(join(directory, 'buildpack', 'bin'), { recursive: true })
  writeFileSync(
    join(directory, 'buildpack', 'buildpack.toml'),
    'api = "0.12"\n[buildpack]\nid = "test/none"\nversion = "1.0.0"\n[[targets]]\nos = "linux"\n',
  )
  for (const step of ['detect', 'build'])
    writeFileSync(join(directory, 'buildpack', 'bin', step), '', { mode: 0o755 })
  writeFileSync(
    join(directory, 'lifecycle.cjs'),
    'process.stdout.write(JSON.stringify([process.version, process.arch, process.getuid()]))',
  )
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function ensure(name: string, isExpected = true): Promise<DefaultBuilder> {
  const http = createHttpClient(httpOptionsFromEnvironment(process.env))
  try {
    return await ensureDefaultBuilder({
      layout: openLayout(join(directory, name)),
      directory: join(directory, `${name}-state`),
      architecture,
      lifecycle: {
        node,
        starter: join(native, 'starter'),
        launcher: join(native, 'launcher'),
        bundle: join(directory, 'lifecycle.cjs'),
      },
      buildpacks: [join(directory, 'buildpack')],
      version: '0.0.1',
      debian: () => {
        expect(isExpected).toBe(true)
        const host = readAptHost()
        return {
          http,
          archives: host.archives,
          settings: { main: 'debian.mirror', security: 'debian.security-mirror' },
          checkValidity: host.checksValidity,
        }
      },
      emit: () => {},
    })
  } finally {
    await http.close()
  }
}

const compressedSize = (layers: readonly { readonly size: number }[]): number =>
  layers.reduce((sum, { size }) => sum + size, 0)

test('the default builder from Debian’s packages: whole, small, the same twice', {
  timeout: 300_000,
}, async () => {
  const { builder, run } = await ensure('first')
  expect(compressedSize(run.manifest.layers)).toBeLessThan(45_000_000)
  expect(compressedSize(builder.manifest.layers)).toBeLessThan(250_000_000)

  const again = await ensure('first', false)
  expect(again.builder.digest).toBe(builder.digest)

  const root = join(directory, 'root')
  mkdirSync(root)
  for (const layer of imageLayers(builder)) await applyLayer(layer.open(), root)
  // Node starts with the distribution's C library beside it, from any folder, by any of the phases' names.
  const answer = execFileSync(join(root, 'cnb', 'lifecycle', 'detector'), {
    encoding: 'utf8',
    env: { LD_LIBRARY_PATH: '/x' },
  })
  expect(JSON.parse(answer)).toEqual([expect.stringMatching(/^v24\./), process.arch, process.getuid?.()])
  // The compiler runs with the image's own loader and libraries.
  const triplet = architecture === 'amd64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu'
  const libraries = join(root, 'usr', 'lib', triplet)
  const loader = join(libraries, architecture === 'amd64' ? 'ld-linux-x86-64.so.2' : 'ld-linux-aarch64.so.1')
  const version = execFileSync(loader, [
    '--library-path',
    libraries,
    join(root, 'usr', 'bin', 'gcc'),
    '--version',
  ])
  expect(version.toString()).toContain('Debian')

  const second = await ensure('second')
  expect([second.builder.digest, second.run.digest]).toEqual([builder.digest, run.digest])
})
