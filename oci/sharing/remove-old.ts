import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'

/**
 * Removes the files of a folder that were not changed for so many milliseconds. What cannot be removed stays: none of it
 * is in anybody's way.
 */
export function removeOldFiles(folder: string, age: number): void {
  const before = Date.now() - age
  for (const name of ifPossible(() => readdirSync(folder)) ?? []) {
    const path = join(folder, name)
    const stats = ifPossible(() => statSync(path))
    if (stats !== undefined && stats.mtimeMs < before) ifPossible(() => rmSync(path, { force: true }))
  }
}

function ifPossible<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}
