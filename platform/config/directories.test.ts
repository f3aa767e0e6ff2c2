import { expect, test } from 'vitest'
import { directories } from './directories.ts'

test('XDG directories win over HOME', () => {
  expect(directories({ HOME: '/home/ann', XDG_CACHE_HOME: '/fast' })).toEqual({
    data: '/home/ann/.local/share/slipway',
    cache: '/fast/slipway',
    config: '/home/ann/.config/slipway',
  })
})

test('SLIPWAY_HOME holds everything', () => {
  expect(directories({ HOME: '/home/ann', XDG_DATA_HOME: '/d', SLIPWAY_HOME: '/s' })).toEqual({
    data: '/s/data',
    cache: '/s/cache',
    config: '/s/config',
  })
})

test('relative paths are ignored, and with nothing left the error names the variable', () => {
  expect(directories({ HOME: '/h', XDG_DATA_HOME: 'relative' }).data).toBe('/h/.local/share/slipway')
  expect(() => directories({ HOME: '' })).toThrow(
    expect.objectContaining({ code: 'CONFIG_NO_HOME', subject: 'XDG_DATA_HOME' }),
  )
})
