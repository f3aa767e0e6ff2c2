import { createHash, type Hash } from 'node:crypto'
import { SlipwayError } from '../core/error.ts'

declare const brand: unique symbol

/** `sha256:` and 64 lower-case hex digits (image-spec, descriptor digests). Only sha256 is written; sha512 is read. */
export type Digest = string & { readonly [brand]: 'Digest' }

const FORM = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

/** @throws SlipwayError `OCI_DIGEST_INVALID` */
export function parseDigest(text: string): Digest {
  if (!FORM.test(text)) {
    throw new SlipwayError('OCI_DIGEST_INVALID', `not a digest: ${JSON.stringify(text.slice(0, 200))}`, {
      subject: text.slice(0, 200),
      hint: 'a digest is sha256: followed by 64 lower-case hexadecimal digits',
      class: 'infrastructure',
    })
  }
  return text as Digest
}

export function isDigest(text: string): text is Digest {
  return FORM.test(text)
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return finishDigest(createHash('sha256').update(bytes))
}

export function finishDigest(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}` as Digest
}

/** The hex part. */
export function encoded(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

export function algorithm(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}
