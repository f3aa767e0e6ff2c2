import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'
import { createLeases, type Leases } from './leases.ts'
import { createPlaces, type Places } from './places.ts'

/**
 * What builds that share a directory know of each other's work, so that a blob is pulled once and uploaded once. All of it
 * may be lost, or be out of reach, at any time: then work is done twice.
 */
export interface Sharing {
  readonly leases: Leases
  readonly places: Places
  /** Removes what nobody touched since `before`, in milliseconds since 1970. */
  removeOld(before: number): void
}

/** @param directory made when it is needed */
export function openSharing(directory: string): Sharing {
  const folders = { leases: join(directory, 'leases'), places: join(directory, 'places') }
  return {
    leases: createLeases(folders.leases),
    places: createPlaces(folders.places),
    removeOld(before) {
      for (const folder of Object.values(folders)) removeOldFiles(folder, before)
    },
  }
}

function removeOldFiles(folder: string, before: number): void {
  for (const name of ifThere(() => readdirSync(folder)) ?? []) {
    const path = join(folder, name)
    const stats = ifThere(() => statSync(path))
    if (stats !== undefined && stats.mtimeMs < before) rmSync(path, { force: true })
  }
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
