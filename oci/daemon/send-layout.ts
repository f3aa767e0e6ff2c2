import { type Digest, digestOf } from '../digest.ts'
import { type Descriptor, MEDIA_TYPES } from '../image.ts'
import { manifestJson } from '../image-json.ts'
import { inFamily } from '../write-image.ts'
import { layoutArchive } from './archive.ts'
import { savedLayerBlobs } from './saved-manifests.ts'
import type { Form, ImageParts, StoreMeans } from './store-image.ts'

/**
 * An image as an OCI layout: Docker on containerd's store. An image's ID is the digest of its manifest, and a blob that an
 * image there has need not be sent: it is named by the digest that it has there, which for a pulled layer is that of the
 * compressed one. A new layer is sent as the tar that it is.
 */
export const layoutForm: Form = async (parts, means, partial) => {
  const known = partial ? await knownBlobs(parts, means) : new Map<Digest, Descriptor>()
  const layers = await Promise.all(
    parts.layers.map(async ({ descriptor, diffId }) => {
      const there = known.get(diffId)
      if (there !== undefined) return { descriptor: inFamily(there, 'oci') }
      const bytes = await means.layers.bytes(descriptor, diffId, { trustShelf: partial })
      return { descriptor: inFamily(bytes.descriptor, 'oci'), open: bytes.open }
    }),
  )
  const config = {
    mediaType: MEDIA_TYPES.ociConfig,
    digest: parts.config.digest,
    size: parts.config.bytes.length,
  }
  const manifest = Buffer.from(
    manifestJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  )
  const id = digestOf(manifest)
  const sent = layers.flatMap(({ descriptor, open }) => (open === undefined ? [] : [{ ...descriptor, open }]))
  const names = parts.names.map(({ repository, tag }) => ({ name: `${repository}:${tag}`, tag }))
  return {
    id,
    files: layoutArchive(
      { digest: id, bytes: manifest },
      [...sent, { ...config, open: () => [parts.config.bytes] }],
      names,
    ),
    isPartial: known.size > 0,
  }
}

/** The blobs of the image's layers that are in the daemon, looked for in as few images as have them. */
async function knownBlobs({ layers }: ImageParts, { engine, images }: StoreMeans) {
  const wanted = new Set(layers.map(({ diffId }) => diffId))
  const asked: Digest[] = []
  for (;;) {
    const [best] = [...images.values()]
      .map(({ id, diffIds }) => ({
        id,
        diffIds,
        count: diffIds.filter((diffId) => wanted.has(diffId)).length,
      }))
      .sort((a, b) => b.count - a.count)
    if (best === undefined || best.count === 0) break
    asked.push(best.id)
    for (const diffId of best.diffIds) wanted.delete(diffId)
  }
  return asked.length === 0 ? new Map<Digest, Descriptor>() : savedLayerBlobs(engine.save(asked), asked)
}
