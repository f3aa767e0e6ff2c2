import { describe, expect, it } from 'vitest'
import type { HttpResponse } from '../../core/http/types.ts'
import { uploadLocation, withParameter } from './location.ts'

const answer = (
  location: string | undefined,
  url = 'https://r.example:8443/v2/a/blobs/uploads/',
): HttpResponse => ({
  status: 202,
  url,
  headers: { get: () => location, all: () => [] },
  body: (async function* () {})(),
  bytes: async () => new Uint8Array(),
  text: async () => '',
  json: async () => null,
  discard: async () => {},
})
const registry = new URL('https://r.example:8443')

describe('uploadLocation', () => {
  it.each([
    ['/v2/a/blobs/uploads/1?_state=x%3D%3D', 'https://r.example:8443/v2/a/blobs/uploads/1?_state=x%3D%3D'],
    ['1?s=1', 'https://r.example:8443/v2/a/blobs/uploads/1?s=1'],
    ['https://r.example:8443/x#fragment', 'https://r.example:8443/x'],
    ['https://storage.example/x', 'https://storage.example/x'],
    // A registry that does not know that TLS ends before it.
    ['http://r.example/x', 'https://r.example:8443/x'],
    ['https://user:pass@r.example:8443/x', 'https://r.example:8443/x'],
  ])('%s', (location, expected) => {
    expect(uploadLocation(answer(location), registry).href).toBe(expected)
  })

  it('is relative to where the answer came from', () => {
    expect(uploadLocation(answer('/x', 'https://moved.example/y'), registry).href).toBe(
      'https://moved.example/x',
    )
  })

  it.each([
    undefined,
    '',
    'http://:x',
    'ftp://r.example/x',
    'http://other.example/x',
    'https://10.0.0.1/x',
    'https://localhost/x',
    'https://[::ffff:169.254.169.254]/x',
  ])('refuses %s', (location) => {
    expect(() => uploadLocation(answer(location), registry)).toThrow(
      expect.objectContaining({ code: 'OCI_LOCATION_INVALID' }),
    )
  })
})

describe('withParameter', () => {
  it('keeps the query as it came', () => {
    const url = new URL('https://r.example/u?_state=a+b/%2B=&x')
    expect(withParameter(url, 'digest', 'sha256:ab').search).toBe('?_state=a+b/%2B=&x&digest=sha256%3Aab')
    expect(withParameter(new URL('https://r.example/u'), 'digest', 'sha256:ab').search).toBe(
      '?digest=sha256%3Aab',
    )
  })
})
