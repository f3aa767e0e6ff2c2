import type { ContainerPath } from '../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Digest } from '../../oci/digest.ts'
import { isDigest } from '../../oci/digest.ts'
import { extractLayer } from '../../oci/tar/extract.ts'
import type { Cache } from '../cache/cache.ts'
import type { LayerRecord } from '../cache/records.ts'
import { isUntouched, settledState } from '../cache/tree-state.ts'
import type { FoundLayer } from './export/buildpack-layers.ts'
import { sideBySide } from './export/side-by-side.ts'
import type { RestoreContext } from './restore.ts'

/** A layer whose contents are to be those of a tar in the cache. */
export interface CachedContents {
  readonly layer: FoundLayer
  readonly sha: string
}

/**
 * Puts the contents of cached layers in their places. One that stands there untouched since it was last read or
 * unpacked is left as it is; the others are unpacked, and what is known of them is kept for the export.
 * @param verify unpacks all of them
 */
export async function restoreContents(
  contents: readonly CachedContents[],
  cache: Cache,
  context: RestoreContext,
  verify: boolean,
): Promise<void> {
  const records = new Map(cache.records?.read())
  let isChanged = false
  await sideBySide(contents, async ({ layer, sha }) => {
    const record = records.get(layer.path)
    if (!verify && record?.diffId === sha && context.root.lstat(layer.path) === undefined)
      context.kept?.take(layer.path)
    if (!verify && record?.diffId === sha && isUntouched(context.root, layer.path, record.state)) {
      context.emit({ type: 'layer-restored', layer: layer.id, bytes: 0 })
      return
    }
    if (!(await unpack(layer, sha, cache, context)) || record === undefined) return
    const known = await recorded(layer.path, sha, record, context)
    if (known === undefined) records.delete(layer.path)
    else records.set(layer.path, known)
    isChanged = true
  })
  if (!isChanged) return
  try {
    cache.records?.write(records)
  } catch (error) {
    context.emit({ type: 'warning', message: `Failed to keep the record of layers: ${errorChain(error)}` })
  }
}

/**
 * What is known of a directory that was just unpacked from a tar. That it makes the same tar again was found out by
 * an export that read such a directory; here it must look the same (a file system may refuse a mode).
 */
async function recorded(
  path: ContainerPath,
  sha: string,
  record: LayerRecord,
  { root }: RestoreContext,
): Promise<LayerRecord | undefined> {
  const state = record.diffId === sha ? await settledState(root, path) : undefined
  return state?.shape === record.state.shape ? { ...record, state } : undefined
}

/**
 * Unpacks a layer and checks it in one pass. Whatever is wrong with it costs the layer, not the build: it goes with its
 * metadata, so that the buildpack makes it anew.
 */
async function unpack(
  layer: FoundLayer,
  sha: string,
  cache: Cache,
  context: RestoreContext,
): Promise<boolean> {
  try {
    if (!isDigest(sha)) throw new SlipwayError('RESTORE_SHA_INVALID', `'${sha}' is not a digest`)
    // What stands there already is older than the cache and not what its metadata says.
    context.root.remove(layer.path)
    const { bytes } = await extractLayer(cache.openLayer(sha), context.root, {
      within: [layer.path],
      ...(context.kept === undefined ? {} : { owner: context.kept.owner }),
    })
    if (context.root.lstat(layer.path) === undefined) {
      throw new SlipwayError('RESTORE_LAYER_ELSEWHERE', `the cached layer holds nothing for ${layer.path}`)
    }
    context.emit({ type: 'layer-restored', layer: layer.id, bytes })
    return true
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    if (isDigest(sha) && error.code === 'CACHE_LAYER_CORRUPT') await cache.discard(sha as Digest)
    removeLayer(layer, context)
    context.emit({ type: 'layer-restore-skipped', layer: layer.id, reason: errorChain(error) })
    return false
  }
}

/** A layer goes with its metadata. */
export function removeLayer({ path, tomlPath }: FoundLayer, { root }: RestoreContext): void {
  root.remove(path)
  root.remove(tomlPath)
}
