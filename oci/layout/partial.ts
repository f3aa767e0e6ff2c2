import { createReadStream, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { type Digest, encoded } from '../digest.ts'
import type { BlobSource } from '../image.ts'
import { orMissing } from './index-file.ts'

/**
 * What an ended or broken download has left of a blob, for the next one to go on from. The bytes are copied, not taken
 * over: whoever wrote them may only seem to be dead, and would write into a blob that has been verified.
 */

/** Less is not worth a second look. */
const WORTH_KEEPING = 1 << 20

/** A source that can go on in the middle, of a blob whose digest will tell whether that was right. */
export type Resumable = BlobSource & Required<Pick<BlobSource, 'digest' | 'openFrom'>>

export function isResumable(source: BlobSource): source is Resumable {
  return source.digest !== undefined && source.openFrom !== undefined
}

/** How the temporary file of a blob begins, so that it is found again. */
export function partialPrefix(digest: Digest): string {
  return `${encoded(digest)}-`
}

/** The longest piece that is left of a blob in a folder. */
export function findPartial(folder: string, digest: Digest): string | undefined {
  const prefix = partialPrefix(digest)
  return (orMissing(() => readdirSync(folder)) ?? [])
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ path: join(folder, name), size: sizeOf(join(folder, name)) }))
    .filter(({ size }) => size >= WORTH_KEEPING)
    .toSorted((a, b) => b.size - a.size)[0]?.path
}

/** A piece first, and then the source from where the piece ends. */
export function continued(source: Resumable, partial: string): BlobSource {
  return {
    ...source,
    async *open() {
      let offset = 0
      for await (const chunk of createReadStream(partial, { highWaterMark: WORTH_KEEPING })) {
        offset += chunk.length
        yield chunk as Uint8Array
      }
      if (offset !== source.size) yield* source.openFrom(offset)
    },
  }
}

/** Removes what a failed download wrote, unless the next one can go on from there. */
export function removeUnlessUseful(path: string, source: BlobSource, error: unknown): void {
  if (isResumable(source) && sizeOf(path) >= WORTH_KEEPING && !isMismatch(error)) return
  rmSync(path, { force: true })
}

export function isMismatch(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === 'OCI_DIGEST_MISMATCH'
}

function sizeOf(path: string): number {
  return orMissing(() => statSync(path))?.size ?? 0
}
