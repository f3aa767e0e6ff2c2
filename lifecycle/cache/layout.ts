import { lstatSync, rmSync } from 'node:fs'
import { systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import type { Digest } from '../../oci/digest.ts'

/** Names in a cache directory. The first three are the Go lifecycle's; it ignores the others. */
export const COMMITTED = 'committed'
/** What the Go lifecycle moves `committed` to while it commits. */
export const BACKUP = 'committed-backup'
export const METADATA_FILE = 'io.buildpacks.lifecycle.cache.metadata'
export const VERIFIED_FILE = 'io.buildpacks.slipway.cache.verified.json'
/** What is known of the layers on disk. */
export const RECORDS_FILE = 'io.buildpacks.slipway.cache.layers.json'
/** Each user of the directory has a staging directory of its own: this and a random name. */
export const STAGING_PREFIX = 'staging-'

export function tarName(diffId: Digest): string {
  return `${diffId}.tar`
}

/**
 * Tells whether a file is still the one that it was, without reading it. ctime is left out: it changes with every
 * hard link, and tars are never written in place.
 */
export function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs } = lstatSync(hostBytes(path), { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}`
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

export function removeTree(path: string): void {
  rmSync(hostBytes(path), { recursive: true, force: true })
}
