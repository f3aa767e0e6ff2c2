import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildpackDigest, buildpackLayer, readBuildpackFolder } from './buildpack-folder.ts'
import { fileDigests } from './file-digests.ts'
import { listTar } from './testing/packages.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'buildpack-'))
  put('buildpack.toml', 'api = "0.12"\n[buildpack]\nid = "some/node"\nversion = "1.2.3"\n')
  put('bin/detect', '#!/bin/sh', 0o700)
  put('bin/build', '#!/bin/sh', 0o755)
})
afterEach(() => rmSync(directory, { recursive: true }))

function put(path: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
  chmodSync(join(directory, path), mode)
}

const read = () => readBuildpackFolder(directory)
const digest = () => buildpackDigest(read(), fileDigests(join(tmpdir(), 'nowhere', 'memory.json')))

test('its layer has the owners, modes and names of the spec', async () => {
  put('lib/x.js', 'x')
  symlinkSync('x.js', join(directory, 'lib', 'y.js'))
  const listed = await listTar(buildpackLayer(read()).blocks())
  expect(
    [...listed.values()].map(({ entry }) => `${entry.name} ${entry.type} ${entry.mode.toString(8)}`),
  ).toEqual([
    '/cnb/buildpacks/some_node directory 755',
    '/cnb/buildpacks/some_node/1.2.3 directory 755',
    '/cnb/buildpacks/some_node/1.2.3/bin directory 755',
    '/cnb/buildpacks/some_node/1.2.3/bin/build file 755',
    '/cnb/buildpacks/some_node/1.2.3/bin/detect file 755',
    '/cnb/buildpacks/some_node/1.2.3/buildpack.toml file 644',
    '/cnb/buildpacks/some_node/1.2.3/lib directory 755',
    '/cnb/buildpacks/some_node/1.2.3/lib/x.js file 644',
    '/cnb/buildpacks/some_node/1.2.3/lib/y.js symlink 777',
  ])
  for (const { entry } of listed.values())
    expect([entry.uid, entry.gid, entry.mtime]).toEqual([0, 0, 315_532_801])
})

test('its digest changes with what the layer holds, and with nothing else', () => {
  const before = digest()
  chmodSync(join(directory, 'buildpack.toml'), 0o640)
  expect(digest()).toBe(before)
  const seen = new Set([before])
  put('lib/x.js', 'x')
  seen.add(digest())
  put('lib/x.js', 'y')
  seen.add(digest())
  chmodSync(join(directory, 'lib/x.js'), 0o700)
  seen.add(digest())
  put('buildpack.toml', 'api = "0.12"\n[buildpack]\nid = "some/node"\nversion = "1.2.4"\n')
  seen.add(digest())
  expect(seen.size).toBe(5)
})

test.each([
  ['no buildpack.toml', () => rmSync(join(directory, 'buildpack.toml'))],
  ['no bin/build', () => rmSync(join(directory, 'bin/build'))],
  [
    'programs in a composite',
    () =>
      put(
        'buildpack.toml',
        'api = "0.12"\n[buildpack]\nid = "a"\nversion = "1.0.0"\n[[order]]\n[[order.group]]\nid = "b"\nversion = "1.0.0"\n',
      ),
  ],
])('%s is an error that names the folder', (_, change) => {
  change()
  expect(read).toThrow(expect.objectContaining({ code: 'BUILDERS_BUILDPACK_INVALID', subject: directory }))
})
