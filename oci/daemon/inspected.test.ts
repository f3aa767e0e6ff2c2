import { expect, test } from 'vitest'
import { digestOf } from '../digest.ts'
import { parseConfig } from '../parse-manifest.ts'
import { inspectedConfig } from './inspected.ts'

const diffIds = [digestOf('one'), digestOf('two')]

/** As Docker 20.10 answers, shortened. */
const inspection = {
  Id: digestOf('image'),
  Created: '1980-01-01T00:00:01Z',
  Author: 'somebody',
  ContainerConfig: { Hostname: 'abc' },
  Config: {
    Hostname: '',
    AttachStdin: false,
    Env: ['PATH=/bin'],
    Cmd: null,
    Image: 'sha256:0',
    Volumes: null,
    Entrypoint: ['/bin/sh'],
    Labels: { b: '2', a: '1' },
    StopSignal: 'SIGINT',
  },
  Architecture: 'arm64',
  Variant: 'v8',
  Os: 'linux',
  OsVersion: '12',
  RootFS: { Type: 'layers', Layers: diffIds },
}
const entry = (text: string) => ({
  Created: 315532801,
  CreatedBy: text,
  Comment: '',
  Id: '<missing>',
  Size: 1,
})

test('what a daemon tells of an image is its configuration', () => {
  const config = parseConfig(inspectedConfig(inspection, [entry('two'), entry('one')]), 'test')
  expect(config).toEqual({
    architecture: 'arm64',
    author: 'somebody',
    created: '1980-01-01T00:00:01Z',
    os: 'linux',
    'os.version': '12',
    variant: 'v8',
    config: {
      Entrypoint: ['/bin/sh'],
      Env: ['PATH=/bin'],
      Labels: { a: '1', b: '2' },
      StopSignal: 'SIGINT',
    },
    history: [
      { created: '1980-01-01T00:00:01Z', created_by: 'one' },
      { created: '1980-01-01T00:00:01Z', created_by: 'two' },
    ],
    rootfs: { type: 'layers', diff_ids: diffIds },
  })
})

test('a history with entries that made no layer is none, for they cannot be told apart', () => {
  const bytes = inspectedConfig(inspection, [entry('three'), entry('two'), entry('one')])
  expect(parseConfig(bytes, 'test').history).toBeUndefined()
})

test('an image without anything is one all the same', () => {
  const config = parseConfig(inspectedConfig({ Id: 'x', RootFS: { Type: 'layers' } }, null), 'test')
  expect(config).toMatchObject({ os: '', architecture: '', config: {}, rootfs: { diff_ids: [] } })
})
