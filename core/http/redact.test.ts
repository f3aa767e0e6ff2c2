import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redact } from './redact.ts'

describe('redact', () => {
  it.each([
    ['https://user:hunter2@host/path', 'https://***@host/path'],
    ['https://hunter2@host', 'https://***@host'],
    ['https://us@er:hunter2@host/a', 'https://***@host/a'],
    ['see http://a:hunter2@b and http://c/d@e', 'see http://***@b and http://c/d@e'],
    [
      'https://s3/x?X-Amz-Signature=hunter2&X-Amz-Expires=1',
      'https://s3/x?X-Amz-Signature=***&X-Amz-Expires=1',
    ],
    ['https://blob/x?sv=hunter2&sig=hunter2&sr=b', 'https://blob/x?sv=***&sig=***&sr=b'],
    ['/v2/a/blobs/uploads/1?_state=hunter2', '/v2/a/blobs/uploads/1?_state=***'],
    ['https://h/t?access_token=hunter2#x', 'https://h/t?access_token=***#x'],
    ['Authorization: Basic aHVudGVyMg==', 'Authorization: Basic ***'],
    ['authorization: Bearer hunter2', 'authorization: Bearer ***'],
    ['"authorization":"hunter2"', '"authorization":"***"'],
    ['got Bearer eyJhbGciOi.hunter2.abc for it', 'got Bearer *** for it'],
    ['{"token":"hunter2","expires_in":3}', '{"token":"***","expires_in":3}'],
    ['{"identitytoken": "hunt\\"er2"}', '{"identitytoken": "***"}'],
  ])('%s', (text, expected) => {
    expect(redact(text)).toBe(expected)
    expect(redact(text)).not.toContain('hunter2')
  })

  it.each([
    'https://host/path?digest=sha256:abc&n=1',
    'basic authentication is not enough',
    'the bearer of this message',
    'mail me@example.com',
    'registry.example/team/app@sha256:abc',
  ])('leaves alone: %s', (text) => {
    expect(redact(text)).toBe(text)
  })

  it('hides any password in a URL, and does so once', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9._~!$&'()*+,;=:@-]+$/)
    fc.assert(
      fc.property(word, word, (user, password) => {
        const shown = redact(`pull https://${user}:${password}@host.example/x failed`)
        expect(shown).toBe('pull https://***@host.example/x failed')
        expect(redact(shown)).toBe(shown)
      }),
    )
  })

  it('takes time in proportion to the length', () => {
    for (const text of [
      'http://'.repeat(50_000),
      'http://a:'.repeat(50_000),
      '@'.repeat(200_000),
      'authorization: '.repeat(20_000),
    ]) {
      // In quadratic time this would outlast the test's limit many times.
      expect(redact(text).length).toBeGreaterThan(0)
    }
  })
})
