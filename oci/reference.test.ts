import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SlipwayError } from '../core/error.ts'
import { type Digest, digestOf } from './digest.ts'
import {
  familiarName,
  identifier,
  parseReference,
  referenceName,
  repositoryName,
  sameRegistry,
  sameRepository,
  tagKey,
  withDigest,
  withTag,
} from './reference.ts'

const digest: Digest = digestOf('x')

describe('parseReference', () => {
  it.each([
    ['hello', 'index.docker.io', 'library/hello', 'latest'],
    ['hello:1.0', 'index.docker.io', 'library/hello', '1.0'],
    ['team/app', 'index.docker.io', 'team/app', 'latest'],
    ['docker.io/hello', 'index.docker.io', 'library/hello', 'latest'],
    ['index.docker.io/team/app:x', 'index.docker.io', 'team/app', 'x'],
    ['gcr.io/app', 'gcr.io', 'app', 'latest'],
    ['localhost:5000/app', 'localhost:5000', 'app', 'latest'],
    ['127.0.0.1:5000/a/b_c/d--e:T_1.2-3', '127.0.0.1:5000', 'a/b_c/d--e', 'T_1.2-3'],
    ['[::1]:5000/app', '[::1]:5000', 'app', 'latest'],
    // Without dot and colon the first part is no registry (go-containerregistry's rule, also for localhost).
    ['localhost/app', 'index.docker.io', 'localhost/app', 'latest'],
    ['my_registry.local/app', 'my_registry.local', 'app', 'latest'],
  ])('%s', (text, registry, repository, tag) => {
    expect(parseReference(text)).toEqual({ registry, repository, tag })
  })

  it('takes digests, with or without a tag', () => {
    expect(parseReference(`gcr.io/app@${digest}`)).toEqual({ registry: 'gcr.io', repository: 'app', digest })
    expect(parseReference(`gcr.io:443/app:v1@${digest}`)).toEqual({
      registry: 'gcr.io:443',
      repository: 'app',
      tag: 'v1',
      digest,
    })
  })

  it.each([
    ['', /repository is missing/],
    [':tag', /repository is missing/],
    ['hello:', /nothing follows the colon/],
    ['hello world', /may hold only lower-case/],
    ['Hello', /must be lower case/],
    ['a', /has 1 characters, 2 to 255/],
    ['x'.repeat(256), /256 characters/],
    ['x'.repeat(250), /with library\/ has more/],
    [`hello:${'x'.repeat(129)}`, /129 characters, at most 128/],
    ['hello:-x', /not begin with/],
    ['hello:..', /not begin with/],
    ['gcr.io/a//b', /has an empty part/],
    ['gcr.io/a/../b', /has a part that does not begin/],
    ['gcr.io/a/', /has an empty part/],
    ['gcr.io/', /has 0 characters/],
    ['user:pass@gcr.io/app', /digest "gcr.io\/app" is not/],
    ['hello@sha256:abc', /is not sha256/],
    ['hello@sha256:abc@x', /more than one @/],
    ['gcr.io:99999/app', /above 65535/],
    ['-.x/app', /not a host name/],
    ['a0.0/app', /not a host name/],
    ['1.2.3.256/app', /not a host name/],
    ['https://gcr.io/app', /registry "https:" is not a host name/],
    ['[::1/app', /not a host name/],
  ])('refuses %s', (text, message) => {
    try {
      parseReference(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(SlipwayError)
      expect(error).toMatchObject({ code: 'OCI_REFERENCE_INVALID', exitCode: 3, class: 'usage' })
      expect((error as Error).message).toMatch(message)
    }
  })

  it('never fails otherwise, and what it gives is read back as the same', () => {
    const part = fc.stringMatching(/^[a-z0-9]+(?:[._-][a-z0-9]+)?$/)
    const likely = fc
      .tuple(fc.option(part), fc.array(part, { minLength: 1, maxLength: 3 }), fc.option(part))
      .map(
        ([host, path, tag]) =>
          `${host === null ? '' : `${host}.io/`}${path.join('/')}${tag === null ? '' : `:${tag}`}`,
      )
    fc.assert(
      fc.property(
        fc.oneof(likely, fc.string(), fc.string({ unit: fc.constantFrom(...'a/:@.-_[]s') })),
        (text) => {
          let reference: ReturnType<typeof parseReference>
          try {
            reference = parseReference(text)
          } catch (error) {
            expect((error as SlipwayError).code).toBe('OCI_REFERENCE_INVALID')
            return
          }
          expect(parseReference(referenceName(reference))).toEqual(reference)
          expect(parseReference(familiarName(reference))).toEqual(reference)
          // Safe to be part of a URL.
          const url = new URL(
            `https://${reference.registry}/v2/${reference.repository}/manifests/${identifier(reference)}`,
          )
          expect(url.pathname).toBe(`/v2/${reference.repository}/manifests/${identifier(reference)}`)
        },
      ),
    )
  })
})

describe('names', () => {
  it('has full and familiar ones', () => {
    const hub = parseReference('hello')
    expect(repositoryName(hub)).toBe('index.docker.io/library/hello')
    expect(referenceName(hub)).toBe('index.docker.io/library/hello:latest')
    expect(familiarName(hub)).toBe('hello')
    expect(familiarName(parseReference('docker.io/team/app:1'))).toBe('team/app:1')
    expect(familiarName(parseReference('docker.io/library/a/b'))).toBe('library/a/b')
    expect(familiarName(parseReference('index.docker.io/a.b/app'))).toBe('index.docker.io/a.b/app')
    expect(familiarName(parseReference('gcr.io/library/app'))).toBe('gcr.io/library/app')
    expect(familiarName(withDigest(hub, digest))).toBe(`hello@${digest}`)
    expect(referenceName(withDigest(hub, digest))).toBe(`index.docker.io/library/hello@${digest}`)
  })

  it('compares and changes', () => {
    const hub = parseReference('hello:1')
    expect(sameRepository(hub, parseReference('docker.io/library/hello'))).toBe(true)
    expect(sameRepository(hub, parseReference('hello2'))).toBe(false)
    expect(sameRegistry(parseReference('GCR.io/app'), parseReference('gcr.io/other'))).toBe(true)
    expect(withTag(hub, '2')).toEqual({ registry: hub.registry, repository: hub.repository, tag: '2' })
    expect(() => withTag(hub, 'a/b')).toThrow(/may hold only/)
    expect(tagKey(parseReference('hello'))).toBe('index.docker.io/library/hello:latest')
    expect(tagKey(withDigest(hub, digest))).toBeUndefined()
    expect(identifier(hub)).toBe('1')
    expect(identifier(withDigest(hub, digest))).toBe(digest)
  })
})
