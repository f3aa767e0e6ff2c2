import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { mountedRoot } from '../../core/root.ts'
import { readEnvDirectory, readLayerEnvironment } from './read.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'env.'))
  mkdirSync(join(directory, 'layer/env'), { recursive: true })
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const root = () => mountedRoot(directory, [])
const ENV = containerPath('/layer/env')

test('files by name, links inside the root followed, directories and links to them left out', () => {
  writeFileSync(join(directory, 'layer/env/B'), 'b')
  writeFileSync(join(directory, 'layer/env/A.append'), 'a\n')
  writeFileSync(join(directory, 'target'), 'linked')
  symlinkSync('/target', join(directory, 'layer/env/C'))
  mkdirSync(join(directory, 'layer/env/D'))
  symlinkSync('/layer', join(directory, 'layer/env/E'))
  expect(readEnvDirectory(root(), ENV)).toEqual([
    { name: 'A.append', value: 'a\n' },
    { name: 'B', value: 'b' },
    { name: 'C', value: 'linked' },
  ])
  expect(readEnvDirectory(root(), containerPath('/no/such'))).toEqual([])
})

test.each([
  ['a link that leads nowhere', (path: string) => symlinkSync('/nowhere', path)],
  ['a value with a NUL byte', (path: string) => writeFileSync(path, 'a\0b')],
  ['a value that no program can be given', (path: string) => writeFileSync(path, 'x'.repeat(200_000))],
])('%s is an error that names the file', (_, make) => {
  make(join(directory, 'layer/env/BAD'))
  expect(() => readEnvDirectory(root(), ENV)).toThrow(
    expect.objectContaining({ code: 'BUILD_ENV_UNREADABLE', subject: '/layer/env/BAD' }),
  )
})

test('a layer has the directories that are directories', () => {
  for (const name of ['bin', 'pkgconfig', 'env.build', 'share']) mkdirSync(join(directory, 'layer', name))
  writeFileSync(join(directory, 'layer/lib'), '')
  writeFileSync(join(directory, 'layer/env.build/X'), '1')
  expect(readLayerEnvironment(root(), containerPath('/layer'))).toEqual({
    path: '/layer',
    directories: ['bin', 'pkgconfig'],
    env: [],
    envBuild: [{ name: 'X', value: '1' }],
  })
})
