import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { systemCode } from '../../core/error.ts'
import type { Digest } from '../digest.ts'
import { isRepositoryPath } from '../reference.ts'

/**
 * Which repository of a registry was given a blob last, so that others mount it from there. A hint: the registry has the
 * last word, and a blob that is gone is uploaded, by the very answer to the attempt to mount it.
 */
export interface Places {
  /** A repository's path below the registry. */
  find(registry: string, digest: Digest): string | undefined
  note(registry: string, digest: Digest, path: string): void
}

/** @param directory shared by processes; made when it is needed */
export function createPlaces(directory: string): Places {
  const fileOf = (registry: string, digest: Digest) =>
    join(directory, createHash('sha256').update(`${registry} ${digest}`).digest('hex').slice(0, 40))

  function find(registry: string, digest: Digest): string | undefined {
    try {
      const path = readFileSync(fileOf(registry, digest), 'utf8').trim()
      return isRepositoryPath(path) ? path : undefined
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return undefined
    }
  }

  return {
    find,
    note(registry, digest, path) {
      if (find(registry, digest) === path) return
      try {
        writeFileAtomically(Buffer.from(fileOf(registry, digest)).toString('latin1'), `${path}\n`)
      } catch (error) {
        // Full, or not ours to write to: the next one uploads.
        if (systemCode(error) === undefined) throw error
      }
    },
  }
}
