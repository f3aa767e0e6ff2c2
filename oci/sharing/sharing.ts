import { join } from 'node:path'
import { createLeases, type Leases } from './leases.ts'
import { createPlaces, type Places } from './places.ts'

/**
 * What builds that share a directory know of each other's work, so that a blob is pulled once and uploaded once. All of it
 * may be lost, or be out of reach, at any time: then work is done twice.
 */
export interface Sharing {
  readonly leases: Leases
  readonly places: Places
}

/** @param directory made when it is needed */
export function openSharing(directory: string): Sharing {
  return {
    leases: createLeases(join(directory, 'leases')),
    places: createPlaces(join(directory, 'places')),
  }
}
