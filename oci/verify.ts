import { createHash, type Hash } from 'node:crypto'
import { SlipwayError } from '../core/error.ts'
import { algorithm, type Digest, digestOf } from './digest.ts'

/** The digest of bytes by the algorithm of another digest, sha256 where there is none. */
export function digestLike(bytes: Uint8Array, like: Digest | undefined): Digest {
  return like === undefined || algorithm(like) === 'sha256'
    ? digestOf(bytes)
    : finish(hashFor(like).update(bytes), like)
}

export interface Expected {
  readonly digest?: Digest
  readonly size?: number
}

/** Counts and hashes bytes that pass. */
export interface Meter {
  /** @throws SlipwayError `OCI_DIGEST_MISMATCH` as soon as there are more bytes than expected. */
  add(chunk: Uint8Array): void
  /** Bytes so far. */
  readonly size: number
  /** @throws SlipwayError `OCI_DIGEST_MISMATCH` when size or digest are not what was expected. */
  finish(): { readonly digest: Digest; readonly size: number }
}

export function createMeter(subject: string, expected: Expected): Meter {
  const hash = hashFor(expected.digest)
  let size = 0
  return {
    add(chunk) {
      size += chunk.length
      if (expected.size !== undefined && size > expected.size) {
        throw mismatch(subject, `${expected.size} bytes`, `more than that`)
      }
      hash.update(chunk)
    },
    get size() {
      return size
    },
    finish() {
      if (expected.size !== undefined && size !== expected.size) {
        throw mismatch(subject, `${expected.size} bytes`, `${size}`)
      }
      const digest = finish(hash, expected.digest)
      if (expected.digest !== undefined && digest !== expected.digest)
        throw mismatch(subject, expected.digest, digest)
      return { digest, size }
    },
  }
}

function hashFor(digest: Digest | undefined): Hash {
  return createHash(digest === undefined ? 'sha256' : algorithm(digest))
}

function finish(hash: Hash, like: Digest | undefined): Digest {
  return `${like === undefined ? 'sha256' : algorithm(like)}:${hash.digest('hex')}` as Digest
}

export function mismatch(subject: string, expected: string, actual: string): SlipwayError {
  return new SlipwayError('OCI_DIGEST_MISMATCH', `${subject}: expected ${expected}, got ${actual}`, {
    subject,
    hint: 'the bytes were changed on their way or where they are stored; nothing of them was kept',
    class: 'infrastructure',
  })
}
