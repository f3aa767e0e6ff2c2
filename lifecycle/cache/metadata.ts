import { readFileSync } from 'node:fs'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { type CacheMetadata, parseCacheMetadata } from '../../spec/labels/cache-metadata.ts'
import { isMissing, METADATA_FILE } from './layout.ts'

/** Undefined where nothing was committed or where it is no metadata; a broken cache is an empty one. */
export function readMetadata(committed: string): CacheMetadata | undefined {
  try {
    const file = `${committed}/${METADATA_FILE}`
    return parseCacheMetadata(readFileSync(hostBytes(file), 'utf8'), { file })
  } catch (error) {
    if (isMissing(error) || error instanceof SlipwayError) return undefined
    throw error
  }
}

/** The diffIDs of all layers that a cache's metadata names. */
export function shasOf(metadata: CacheMetadata): Digest[] {
  const layers = metadata.buildpacks.flatMap((buildpack) => [...buildpack.layers.values()])
  return [metadata.sbom, ...layers].map(({ sha }) => sha).filter(isDigest)
}
