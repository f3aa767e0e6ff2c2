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
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { containerPath } from '../../../core/container-path.ts'
import type { EventBody } from '../../../core/event.ts'
import { mountedRoot } from '../../../core/root.ts'
import { parseBuildpackId } from '../../../spec/names.ts'
import { copyTree } from './copy-tree.ts'
import { readOutputs } from './outputs.ts'

function place() {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-generate-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'root/out'), { recursive: true })
  const events: EventBody[] = []
  const root = mountedRoot(join(directory, 'root'), [])
  return {
    root,
    events,
    outside: (name: string) => join(directory, name),
    path: (name: string) => join(directory, 'root/out', name),
    read: () =>
      readOutputs(containerPath('/out'), parseBuildpackId('x/y'), {
        root,
        emit: (event) => void events.push(event),
      }),
  }
}

test('what is not there is nothing; files of other names are the extension’s own', () => {
  const { path, read, events } = place()
  writeFileSync(path('Dockerfile'), 'nonsense')
  mkdirSync(path('context'))
  expect(read()).toEqual([])
  expect(events).toEqual([])
})

test('a link is followed inside of the container, never out of it', () => {
  const { path, read, outside, root } = place()
  writeFileSync(outside('run.Dockerfile'), 'FROM stolen')
  symlinkSync('../../run.Dockerfile', path('run.Dockerfile'))
  expect(read()).toEqual([])
  root.write(containerPath('/run.Dockerfile'), 'FROM inside')
  expect(read()).toMatchObject([{ kind: 'run', base: 'inside' }])
})

test.each([
  ['run.Dockerfile', 'FROM a\nFROM b', 'failed to parse run.Dockerfile for extension x/y'],
  [
    'extend-config.toml',
    '[build]\nargs = 1',
    '/out/extend-config.toml: build.args: expected an array of tables',
  ],
  ['build.Dockerfile', 'x'.repeat((1 << 20) + 1), '/out/build.Dockerfile: is larger than 1048576 bytes'],
])('%s that is wrong is the extension’s failure, named by its file', (name, text, message) => {
  const { path, read } = place()
  writeFileSync(path(name), text)
  expect(read).toThrow(
    expect.objectContaining({ class: 'buildpack', message: expect.stringContaining(message) }),
  )
})

test('a fifo or directory where a file should be is refused, not waited for', () => {
  const { path, read } = place()
  mkdirSync(path('extend-config.toml'))
  expect(read).toThrow('/out/extend-config.toml: is no file')
})

test('a ready-made output is copied with its modes and links, also names that are not UTF-8', () => {
  const { path, root } = place()
  mkdirSync(path('in/deep'), { recursive: true })
  writeFileSync(path('in/deep/program'), 'x')
  chmodSync(path('in/deep/program'), 0o755)
  symlinkSync('../../../outside', path('in/link'))
  writeFileSync(Buffer.concat([Buffer.from(path('in/')), Buffer.from([0xff])]), 'odd')
  copyTree(root, containerPath('/out/in'), containerPath('/out/copy'))
  expect(readFileSync(path('copy/deep/program'), 'utf8')).toBe('x')
  expect(lstatSync(path('copy/deep/program')).mode & 0o777).toBe(0o755)
  expect(readlinkSync(path('copy/link'))).toBe('../../../outside')
  expect(readFileSync(Buffer.concat([Buffer.from(path('copy/')), Buffer.from([0xff])]), 'utf8')).toBe('odd')
})
