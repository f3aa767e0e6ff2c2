import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  escapeId,
  fileNameOf,
  isPortableProcessType,
  nameOfFile,
  parseBuildpackId,
  parseBuildpackVersion,
  parseLayerName,
  parseProcessType,
} from './names.ts'

const invalid = expect.objectContaining({ code: 'SPEC_NAME_INVALID' })

test('an ID becomes one directory', () => {
  expect(escapeId(parseBuildpackId('paketo-buildpacks/node.js/x_1'))).toBe('paketo-buildpacks_node.js_x_1')
})

test.each(['', '.', '..', 'a b', 'a\0', 'ä', 'a\n', 'a\\b', 'app', 'config', 'generated', 'sbom'])(
  '%j is no ID',
  (id) => {
    expect(() => parseBuildpackId(id)).toThrow(invalid)
  },
)

test.each(['', '.', '..', 'a/b', '/', 'a\0', 'build', 'launch', 'store', 'x'.repeat(256)])(
  '%j is no layer',
  (name) => {
    expect(() => parseLayerName(name)).toThrow(invalid)
  },
)

test.each(['', '.', '..', 'a/b', 'a>b', 'a<b', 'a:b', 'a|b', 'a&b', 'a\\b'])(
  '%j is no process type',
  (type) => {
    expect(() => parseProcessType(type)).toThrow(invalid)
  },
)

test('process types outside of the spec work but are not portable', () => {
  expect(parseProcessType('a b')).toBe('a b')
  expect(isPortableProcessType('a b')).toBe(false)
  expect(isPortableProcessType('web.1_a-b')).toBe(true)
})

test.each(['', '..', '1/2'])('%j is no version', (version) => {
  expect(() => parseBuildpackVersion(version)).toThrow(invalid)
})

test('whatever passes stays inside its directory', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const parse of [parseLayerName, parseProcessType, parseBuildpackVersion]) {
        try {
          parse(text)
        } catch {
          continue
        }
        expect(new URL(`file:///layers/${encodeURIComponent(text.toWellFormed())}`).pathname).toMatch(
          /^\/layers\/[^/]+$/,
        )
      }
    }),
  )
})

test('names are bytes in paths and text in labels', () => {
  expect(fileNameOf('é')).toBe('\u00c3\u00a9')
  expect(nameOfFile(fileNameOf('é€'))).toBe('é€')
  expect(nameOfFile('\xff')).toBe('\ufffd')
})
