/** Whatever a registry, a layout or a credential helper answers, a parser gives data or a SlipwayError. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../core/error.ts'
import { digestOf, isDigest, parseDigest } from './digest.ts'
import { mediaTypeOf, parseConfig, parseIndex, parseManifest } from './parse-manifest.ts'
import { parseHelperOutput } from './registry/credentials/helper.ts'
import { parseComplaints } from './registry/failure.ts'

const FORMATS: Readonly<Record<string, (text: string) => unknown>> = {
  manifest: (text) => parseManifest(Buffer.from(text), 'x'),
  index: (text) => parseIndex(Buffer.from(text), 'x'),
  config: (text) => parseConfig(Buffer.from(text), 'x'),
  'media type': (text) => mediaTypeOf(Buffer.from(text), 'x'),
  digest: parseDigest,
  complaints: parseComplaints,
  'helper’s output': (text) => parseHelperOutput('x', text),
}

function check(text: string): void {
  for (const [name, parse] of Object.entries(FORMATS)) {
    try {
      parse(text)
    } catch (error) {
      expect(error, name).toBeInstanceOf(SlipwayError)
    }
  }
}

const digest = digestOf('')
const descriptor = { mediaType: 'a/b', digest, size: 1, annotations: { a: 'b' }, urls: [] }
const EXAMPLES = [
  { schemaVersion: 2, mediaType: 'a/b', config: descriptor, layers: [descriptor, descriptor] },
  { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 'linux', architecture: 'arm64' } }] },
  {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digest] },
    config: { Env: ['A=b'], Cmd: null, Labels: { a: 'b' }, User: 'x' },
    history: [{ created_by: 'x' }],
  },
  { errors: [{ code: 'DENIED', message: 'no' }] },
  { Username: 'u', Secret: 's' },
]

describe('answers', () => {
  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), check))
  })

  test('any JSON', () => {
    fc.assert(fc.property(fc.json(), check))
  })

  test('what is nearly right: one value is another', () => {
    fc.assert(
      fc.property(fc.constantFrom(...EXAMPLES), fc.nat(30), fc.jsonValue(), (example, index, value) => {
        let left = index
        check(JSON.stringify(example, (_, old) => (left-- === 0 ? value : old)) ?? '')
      }),
      { numRuns: 1000 },
    )
  })

  test('bytes that are no text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        for (const parse of [parseManifest, parseIndex, parseConfig, mediaTypeOf]) {
          expect(() => parse(bytes, 'x')).toThrow(SlipwayError)
        }
      }),
    )
  })

  test('a list of layers that was read has nothing but digests in it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant(descriptor), fc.jsonValue())), (layers) => {
        const text = JSON.stringify({ schemaVersion: 2, config: descriptor, layers })
        try {
          const manifest = parseManifest(Buffer.from(text), 'x')
          expect(manifest.layers.every((layer) => isDigest(layer.digest))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError)
        }
      }),
    )
  })
})
