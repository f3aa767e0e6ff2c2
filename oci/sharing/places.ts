import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { systemCode } from '../../core/error.ts'
import type { Digest } from '../digest.ts'
import { isRepositoryPath } from '../reference.ts'
import { removeOldFiles } from './remove-old.ts'

/**
 * Which repository of a registry was given a blob last, so that others mount it from there. A hint: the registry has the
 * last word, and a blob that is gone is uploaded, by the very answer to the attempt to mount it.
 */
export interface Places {
  /** A repository's path below the registry. */
  find(registry: string, digest: Digest): string | undefined
  note(registry: string, digest: Digest, path: string): void
}

/** By then most registries' own rules have removed what nobody uses. */
const FORGOTTEN_AFTER = 30 * 24 * 60 * 60_000

/** @param directory shared by processes; made when it is needed */
export function createPlaces(directory: string): Places {
  const swept = new Set<string>()

  /** In 256 folders, so that sweeping the one that is written to costs little. */
  function fileOf(registry: string, digest: Digest): string {
    const name = createHash('sha256').update(`${registry} ${digest}`).digest('hex').slice(0, 40)
    return join(directory, name.slice(0, 2), name)
  }

  function find(registry: string, digest: Digest): string | undefined {
    try {
      const path = readFileSync(fileOf(registry, digest), 'utf8').trim()
      return isRepositoryPath(path) ? path : undefined
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return undefined
    }
  }

  function sweep(folder: string): void {
    if (swept.has(folder)) return
    swept.add(folder)
    removeOldFiles(folder, FORGOTTEN_AFTER)
  }

  return {
    find,
    note(registry, digest, path) {
      const file = fileOf(registry, digest)
      try {
        writeFileAtomically(Buffer.from(file).toString('latin1'), `${path}\n`)
        sweep(dirname(file))
      } catch (error) {
        // Full, or not ours to write to: the next one uploads.
        if (systemCode(error) === undefined) throw error
      }
    },
  }
}
