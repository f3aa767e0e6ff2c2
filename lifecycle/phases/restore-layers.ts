import { joinPath } from '../../core/container-path.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { byByteOrder } from '../../spec/byte-order.ts'
import { writeRestoredLayerContent } from '../../spec/files/layer.ts'
import type { CacheMetadata } from '../../spec/labels/cache-metadata.ts'
import { EMPTY_CACHE_METADATA } from '../../spec/labels/cache-metadata.ts'
import { type LayerEntry, type LifecycleMetadata, layersOf } from '../../spec/labels/lifecycle-metadata.ts'
import { type BuildpackId, escapeId, fileNameOf, type LayerName } from '../../spec/names.ts'
import { readBuildpackDirectory } from './export/buildpack-layers.ts'
import type { RestoreContext, RestoreInputs } from './restore.ts'
import { type CachedContents, removeLayer, restoreContents } from './restore-contents.ts'
import { inStep } from './steps.ts'

type Layers = ReadonlyMap<LayerName, LayerEntry>

export interface RestorableLayer {
  readonly name: LayerName
  readonly entry: LayerEntry
  readonly from: 'app image' | 'cache'
}

/**
 * Which layers of one buildpack get their `<layer>.toml` back, and from where (cnb-spec §4.6). Launch layers are known
 * from the image, others from the cache; a layer that is needed at build time and not cached is always made anew; a
 * cached one is restored whole or not at all, so without an entry in the cache its metadata stays away too.
 */
export function restorableLayers(app: Layers, cached: Layers, platformApi: ApiVersion): RestorableLayer[] {
  const fromApp = [...app].filter(
    ([name, layer]) => layer.launch && (layer.cache ? (cached.get(name)?.cache ?? false) : !layer.build),
  )
  const fromCache = [...cached].filter(
    ([name, layer]) => layer.cache && (!layer.launch || (isAtLeast(platformApi, '0.14') && !app.has(name))),
  )
  const byName = ([a]: [LayerName, LayerEntry], [b]: [LayerName, LayerEntry]) => byByteOrder(a, b)
  const restored = new Map<LayerName, RestorableLayer>()
  for (const [name, entry] of fromApp.sort(byName)) restored.set(name, { name, entry, from: 'app image' })
  // A layer that changed from launch to cache only is in both: the cache is the later word, as in the reference.
  for (const [name, entry] of fromCache.sort(byName)) restored.set(name, { name, entry, from: 'cache' })
  return [...restored.values()]
}

/** Restores metadata and cached contents of the group's layers (cnb-spec LR-1 to LR-5). */
export async function restoreLayers(
  inputs: RestoreInputs,
  metadata: LifecycleMetadata,
  context: RestoreContext,
): Promise<void> {
  const { emit, cache } = context
  const contents = await inStep(emit, 'restore', 'restore metadata', () =>
    restoreDescriptions(inputs, metadata, context),
  )
  if (cache === undefined) return
  await inStep(emit, 'restore', 'restore layers', () =>
    restoreContents(contents, cache, context, inputs.verify ?? false),
  )
}

/** Writes each `<layer>.toml`, and gives the layers whose contents follow. */
async function restoreDescriptions(
  inputs: RestoreInputs,
  metadata: LifecycleMetadata,
  context: RestoreContext,
): Promise<readonly CachedContents[]> {
  const { root, emit, platformApi } = context
  const cacheMetadata = await readCache(context)
  const contents: CachedContents[] = []
  for (const { id } of inputs.group.group) {
    const cached = layersOf(cacheMetadata, id)?.layers ?? new Map()
    const restored = restorableLayers(layersOf(metadata, id)?.layers ?? new Map(), cached, platformApi)
    const shas = new Map(restored.map(({ name, entry }) => [name, entry.sha]))
    for (const { name, entry, from } of restored) {
      emit({ type: 'layer-metadata-restored', layer: `${id}:${name}`, from })
      root.write(tomlPathOf(inputs, id, name), writeRestoredLayerContent(entry))
    }
    for (const layer of readBuildpackDirectory(root, inputs.layersDir, { id }).layers) {
      const entry = cached.get(layer.name)
      if (entry?.cache !== true) continue
      if (shas.get(layer.name) === entry.sha) contents.push({ layer, sha: entry.sha })
      else {
        emit({ type: 'layer-removed', layer: layer.id, reason: 'wrong sha' })
        removeLayer(layer, context)
      }
    }
  }
  return contents
}

async function readCache({ cache, emit }: RestoreContext): Promise<CacheMetadata> {
  if (cache === undefined) return EMPTY_CACHE_METADATA
  if (!(await cache.exists())) emit({ type: 'info', message: 'Layer cache not found' })
  return cache.metadata()
}

function tomlPathOf({ layersDir }: RestoreInputs, id: BuildpackId, name: LayerName) {
  return joinPath(layersDir, escapeId(id), `${fileNameOf(name)}.toml`)
}
