import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { hostBytes } from '../../core/root.ts'
import { isDigest } from '../../oci/digest.ts'
import {
  BACKUP,
  COMMITTED,
  fileIdentity,
  isMissing,
  METADATA_FILE,
  removeTree,
  STAGING_PREFIX,
  tarName,
} from './layout.ts'
import { readMetadata, shasOf } from './metadata.ts'

/** After this time nobody is at work any more in what a killed process left behind. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000

/**
 * Removes what a commit left without use: tars that the metadata does not name, and what killed processes left. A tar
 * with a second hard link belongs to a commit under way and stays.
 */
export function sweep(directory: string): void {
  sweepTars(directory)
  for (const name of names(directory)) {
    if (name !== 'staging' && name !== BACKUP && !name.startsWith(STAGING_PREFIX)) continue
    const path = `${directory}/${name}`
    if (ageOf(path) > ABANDONED_AFTER_MS) removeTree(path)
  }
}

function sweepTars(directory: string): void {
  const committed = `${directory}/${COMMITTED}`
  const metadata = `${committed}/${METADATA_FILE}`
  const seen = fileIdentity(metadata)
  const used = usedIn(committed)
  if (used === undefined) return
  const trash = `${directory}/${STAGING_PREFIX}${randomBytes(8).toString('hex')}`
  for (const name of names(committed)) {
    const path = `${committed}/${name}`
    if (isUnused(name, path, used)) {
      mkdirSync(hostBytes(trash), { recursive: true })
      if (!move(path, `${trash}/${name}`)) continue
      // Another user's commit may have come to count meanwhile, and it may need this very tar.
      if (fileIdentity(metadata) !== seen && usedIn(committed)?.has(name)) move(`${trash}/${name}`, path)
    }
  }
  removeTree(trash)
}

function isUnused(name: string, path: string, used: ReadonlySet<string>): boolean {
  if (isTar(name)) return !used.has(name) && links(path) === 1
  return name.endsWith('.tmp') && ageOf(path) > ABANDONED_AFTER_MS
}

/** Names of the tars that count; undefined where the metadata cannot be read. */
function usedIn(committed: string): ReadonlySet<string> | undefined {
  const metadata = readMetadata(committed)
  return metadata && new Set(shasOf(metadata).map(tarName))
}

/** False where it was gone already. */
function move(from: string, to: string): boolean {
  try {
    renameSync(hostBytes(from), hostBytes(to))
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

function isTar(name: string): boolean {
  return name.endsWith('.tar') && isDigest(name.slice(0, -'.tar'.length))
}

function names(directory: string): string[] {
  try {
    return readdirSync(hostBytes(directory), 'latin1')
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function links(path: string): number {
  return lstatSync(hostBytes(path), { throwIfNoEntry: false })?.nlink ?? 0
}

function ageOf(path: string): number {
  const state = lstatSync(hostBytes(path), { throwIfNoEntry: false })
  return state === undefined ? 0 : Date.now() - state.mtimeMs
}
