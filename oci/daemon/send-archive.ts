import type { Digest } from '../digest.ts'
import { type ArchiveFile, dockerArchive } from './archive.ts'
import type { DaemonImage } from './daemon.ts'
import type { ImageStore } from './engine.ts'
import type { Form, ImageParts } from './store-image.ts'

/**
 * An image as `docker save` wrote it from the beginning: Docker's classic store and podman. An image's ID is the digest of
 * its configuration. A layer that the daemon has is an empty file: podman wants a file for each layer, and neither looks
 * into that of one it has.
 */
export const archiveForm: Form = async (parts, { engine, images, layers }, partial) => {
  const { config, names } = parts
  const present = partial ? presentLayers(parts, await engine.imageStore(), images) : new Set<number>()
  // A layer may stand in an image twice, and be known only where it stands first.
  const missing = new Set(parts.layers.flatMap(({ diffId }, index) => (present.has(index) ? [] : [diffId])))
  const files = await Promise.all(
    parts.layers.map(async ({ descriptor, diffId }): Promise<ArchiveFile> => {
      const name = `${diffId.replace(':', '-')}.tar`
      if (!missing.has(diffId)) return { name, size: 0, open: () => [] }
      const bytes = await layers.bytes(descriptor, diffId, { trustShelf: partial })
      return { name, size: bytes.descriptor.size, open: bytes.open }
    }),
  )
  const tags = names.map(({ repository, tag }) => `${repository}:${tag}`)
  return {
    id: config.digest,
    files: dockerArchive(config, files, tags),
    isPartial: missing.size < parts.layers.length,
  }
}

/** Places of an image's layers that the daemon has where they are needed. */
function presentLayers(
  { layers }: ImageParts,
  store: ImageStore,
  images: ReadonlyMap<Digest, DaemonImage>,
): ReadonlySet<number> {
  const known = [...images.values()].map(({ diffIds }) => diffIds)
  const places = layers.map((_, index) => index)
  if (store === 'podman') {
    const diffIds = new Set(known.flat())
    return new Set(places.filter((index) => diffIds.has((layers[index] as { diffId: Digest }).diffId)))
  }
  const common = known.map((diffIds) => {
    const end = layers.findIndex(({ diffId }, index) => diffIds[index] !== diffId)
    return end < 0 ? layers.length : end
  })
  return new Set(places.slice(0, Math.max(0, ...common)))
}
