import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../core/error.ts'
import { isDigest } from '../../oci/digest.ts'
import { extractLayer } from '../../oci/tar/extract.ts'
import { escapeId } from '../../spec/names.ts'
import type { RestoreContext, RestoreInputs } from './restore.ts'

const MAX_SBOM_BYTES = 64n << 20n

/**
 * Puts the SBOM files of layers back beside them (cnb-spec LR-6): from the cache, and from the previous image where the
 * analyzer has unpacked them. Then `<layers>/sbom` is empty for this build.
 */
export async function restoreSboms(inputs: RestoreInputs, context: RestoreContext): Promise<void> {
  const { root } = context
  const directory = joinPath(inputs.layersDir, 'sbom')
  await unpackFromCache(directory, context)
  const taking = new Set<string>(inputs.group.group.map(({ id }) => escapeId(id)))
  for (const kind of ['cache', 'launch']) {
    for (const buildpack of root.list(joinPath(directory, kind))) {
      const target = joinPath(inputs.layersDir, buildpack.name)
      // Without a directory there is no layer to describe: the cache is empty and the image is all there is.
      if (!buildpack.isDirectory() || !taking.has(buildpack.name) || root.stat(target) === undefined) continue
      copyOf(joinPath(directory, kind, buildpack.name), target, context)
    }
  }
  root.remove(directory)
}

async function unpackFromCache(
  directory: ContainerPath,
  { root, cache, emit }: RestoreContext,
): Promise<void> {
  if (cache === undefined) return
  const { sha } = (await cache.metadata()).sbom
  if (!isDigest(sha)) return
  emit({ type: 'sbom-restored', from: 'cache' })
  const within = joinPath(directory, 'cache')
  try {
    await extractLayer(cache.openLayer(sha), root, { within: [within] })
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    if (error.code === 'CACHE_LAYER_CORRUPT') await cache.discard(sha)
    root.remove(within)
    emit({ type: 'warning', message: `Skipping restore for the SBOM of cached layers: ${errorChain(error)}` })
  }
}

/** `<layer>/sbom.<format>.json` → `<layer>.sbom.<format>.json`; files of the buildpack as a whole stay away. */
function copyOf(from: ContainerPath, to: ContainerPath, { root }: RestoreContext): void {
  for (const layer of root.list(from)) {
    if (!layer.isDirectory()) continue
    for (const file of root.list(joinPath(from, layer.name))) {
      if (!file.isFile() || !/^sbom.+json$/.test(file.name)) continue
      const path = joinPath(from, layer.name, file.name)
      if ((root.stat(path)?.size ?? 0n) > MAX_SBOM_BYTES) continue
      const bytes = root.read(path)
      if (bytes !== undefined) root.write(joinPath(to, `${layer.name}.${file.name}`), bytes)
    }
  }
}
