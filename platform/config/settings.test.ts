import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { settings } from './settings.ts'

const read = (text: string, env: Record<string, string> = {}) => settings('config.toml', text, env)

test('the environment wins over the file, an empty variable does not', () => {
  const text = '[debian]\nmirror = "http://file.example/debian"\n[registry]\ninsecure = ["a:5000"]'
  expect(read(text)).toEqual({
    debianMirror: 'http://file.example/debian',
    insecureRegistries: ['a:5000'],
    cloudIdentities: true,
  })
  expect(
    read(text, { SLIPWAY_DEBIAN_MIRROR: 'http://env.example/debian', SLIPWAY_INSECURE_REGISTRIES: 'b,c' }),
  ).toMatchObject({
    debianMirror: 'http://env.example/debian',
    insecureRegistries: ['b', 'c'],
  })
  expect(read(text, { SLIPWAY_DEBIAN_MIRROR: '' }).debianMirror).toBe('http://file.example/debian')
})

test('no file is no setting', () =>
  expect(read('')).toEqual({ insecureRegistries: [], cloudIdentities: true }))

test('the identities of clouds can be turned off', () => {
  expect(read('[registry]\ncloud-identities = false').cloudIdentities).toBe(false)
  expect(read('', { SLIPWAY_CLOUD_IDENTITIES: 'false' }).cloudIdentities).toBe(false)
  expect(() => read('', { SLIPWAY_CLOUD_IDENTITIES: 'off' })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  )
})

test.each(['[debian]\nmirror = 1', '[registry]\ninsecure = "a"', '[registry]\ninsecure = [1]'])(
  '%j is refused by its key',
  (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  },
)

test('whatever the file holds, it gives settings or an error of ours', () => {
  const pieces = ['[debian]\n', '[registry]\n', 'mirror', 'insecure', ' = ', '"x"', '["y"]', '1', '\n']
  const nearly = fc.array(fc.constantFrom(...pieces), { maxLength: 10 }).map((list) => list.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearly), (text) => {
      try {
        expect(read(text).insecureRegistries.every((name) => typeof name === 'string')).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(SlipwayError)
      }
    }),
  )
})
