import { describe, expect, it } from 'vitest'
import type { ImageConfig } from '../../../oci/image.ts'
import { parseApiVersion } from '../../../spec/api-version.ts'
import { appConfig, createdTime } from './config.ts'

const API = parseApiVersion('0.15')

const CHANGES = {
  platformApi: API,
  layersDir: '/layers',
  appDir: '/workspace',
  entrypoint: '/cnb/process/web',
  labels: [],
  created: '1980-01-01T00:00:01Z',
}

function base(config: ImageConfig['config'], more: object = {}): ImageConfig {
  return {
    os: 'linux',
    architecture: 'arm64',
    variant: 'v8',
    rootfs: { type: 'layers', diff_ids: [] },
    config,
    ...more,
  } as ImageConfig
}

describe('the configuration of an app image', () => {
  it('keeps the place of variables, and everything after the first equals sign', () => {
    const { config } = appConfig(
      base({ Env: ['CNB_APP_DIR=/old', 'OPTS=-Da=b=c', 'PATH=/a=b', 'EMPTY='] }),
      CHANGES,
    )
    expect(config?.Env).toEqual([
      'CNB_APP_DIR=/workspace',
      'OPTS=-Da=b=c',
      'PATH=/cnb/process:/cnb/lifecycle:/a=b',
      'EMPTY=',
      'CNB_LAYERS_DIR=/layers',
      'CNB_PLATFORM_API=0.15',
      'CNB_DEPRECATION_MODE=quiet',
    ])
  })

  it('has a PATH also where the base has none', () => {
    expect(appConfig(base({}), CHANGES).config?.Env).toContain('PATH=/cnb/process:/cnb/lifecycle:')
  })

  it('keeps what it does not know, and drops how the base was made', () => {
    const made = appConfig(
      base(
        { Cmd: ['bash'], StopSignal: 'SIGINT' },
        { 'os.features': ['x'], container: 'abc', docker_version: '1', history: [] },
      ),
      CHANGES,
    )
    expect(made).toEqual({
      os: 'linux',
      architecture: 'arm64',
      variant: 'v8',
      'os.features': ['x'],
      created: '1980-01-01T00:00:01Z',
      config: {
        StopSignal: 'SIGINT',
        Env: expect.any(Array),
        Entrypoint: ['/cnb/process/web'],
        WorkingDir: '/workspace',
        Labels: {},
      },
    })
  })

  it('lets the later of two labels win, and sorts them', () => {
    const labels = [
      { key: 'b', value: '1' },
      { key: 'a', value: '2' },
      { key: 'b', value: '3' },
    ]
    const { config } = appConfig(base({ Labels: { b: '0', c: '4' } }), { ...CHANGES, labels })
    expect(JSON.stringify(config?.Labels)).toBe('{"a":"2","b":"3","c":"4"}')
  })
})

describe('the time of an image', () => {
  const fixed = '1980-01-01T00:00:01Z'

  it.each([
    [undefined, fixed, false],
    ['', fixed, false],
    ['0', '1970-01-01T00:00:00Z', false],
    ['1700000000', '2023-11-14T22:13:20Z', false],
    ['+5', '1970-01-01T00:00:05Z', false],
    ['-1', '1969-12-31T23:59:59Z', false],
    ['253402300799', '9999-12-31T23:59:59Z', false],
    ['253402300800', fixed, true],
    ['1.5', fixed, true],
    ['yesterday', fixed, true],
  ])('from %j is %s', (epoch, created, isInvalid) => {
    expect(createdTime(epoch, API)).toEqual({ created, isInvalid })
  })

  it('is fixed before Platform API 0.9', () => {
    expect(createdTime('5', parseApiVersion('0.8'))).toEqual({ created: fixed, isInvalid: false })
  })
})
