import { goJson } from '../../core/go-json.ts'
import type { FileSource } from '../files/source.ts'
import { readJson } from '../json.ts'
import {
  type BuildpackLayers,
  buildpackLayersJson,
  JSON_FORM,
  type LayerSha,
  orNull,
  readBuildpackLayers,
  readSha,
} from './lifecycle-metadata.ts'

/** Label or file `io.buildpacks.lifecycle.cache.metadata` (cnb-spec CA-2). */
export interface CacheMetadata {
  /** The layer of cached layers' SBOMs; an empty sha where there is none. */
  readonly sbom: LayerSha
  readonly buildpacks: readonly BuildpackLayers[]
}

export const EMPTY_CACHE_METADATA: CacheMetadata = { sbom: { sha: '' }, buildpacks: [] }

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseCacheMetadata(text: string, source: FileSource): CacheMetadata {
  const document = readJson(text, source)
  return { sbom: readSha(document.table('sbom')), buildpacks: readBuildpackLayers(document, JSON_FORM) }
}

export function writeCacheMetadata(metadata: CacheMetadata): string {
  return goJson({
    sbom: { sha: metadata.sbom.sha },
    buildpacks: orNull(metadata.buildpacks.map(buildpackLayersJson)),
  })
}
