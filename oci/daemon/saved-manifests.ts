import { type Digest, digestOf, isDigest } from '../digest.ts'
import type { Descriptor } from '../image.ts'
import {
  kindOf,
  MANIFEST_LIMIT,
  mediaTypeOf,
  parseConfig,
  parseIndex,
  parseManifest,
} from '../parse-manifest.ts'
import { choosePlatform, hostPlatform } from '../platform.ts'
import { tarParser } from '../tar/reader.ts'

const BLOB = /^blobs\/(sha256)\/([0-9a-f]{64})$/

/**
 * The blobs of images' layers by diffID, read from the images' archive (`docker save` in the form of an OCI layout): only
 * there does a daemon show its manifests. It is read no further than they come.
 * @returns what was found; a layer of an image whose manifest is not in the archive is left out
 */
export async function savedLayerBlobs(
  archive: AsyncIterable<Uint8Array>,
  images: readonly Digest[],
): Promise<ReadonlyMap<Digest, Descriptor>> {
  const documents = new Map<Digest, Uint8Array>()
  const parser = documentParser(documents)
  for await (const chunk of archive) {
    const before = documents.size
    parser.push(chunk)
    if (documents.size === before) continue
    const found = images.map((image) => layersOf(image, documents))
    if (found.every((layers) => layers !== undefined)) return new Map(found.flat())
  }
  return new Map(images.flatMap((image) => layersOf(image, documents) ?? []))
}

/** Collects what may be a manifest or a configuration. */
function documentParser(documents: Map<Digest, Uint8Array>) {
  let digest: Digest | undefined
  let parts: Uint8Array[] = []
  return tarParser({
    entry(entry) {
      const [, algorithm, hex] = BLOB.exec(entry.name) ?? []
      const name = `${algorithm}:${hex}`
      const isSmall = entry.type === 'file' && entry.size <= MANIFEST_LIMIT
      digest = isSmall && isDigest(name) ? name : undefined
      parts = []
    },
    data(bytes) {
      // A layer is no JSON.
      if (parts.length === 0 && bytes[0] !== '{'.charCodeAt(0)) digest = undefined
      if (digest !== undefined) parts.push(Buffer.from(bytes))
    },
    end() {
      const bytes = Buffer.concat(parts)
      if (digest !== undefined && digestOf(bytes) === digest) documents.set(digest, bytes)
    },
  })
}

/** The layers of an image, or of that for this machine in an index; undefined while something of it is missing. */
function layersOf(
  image: Digest,
  documents: ReadonlyMap<Digest, Uint8Array>,
): readonly (readonly [Digest, Descriptor])[] | undefined {
  const bytes = documents.get(image)
  if (bytes === undefined) return undefined
  if (kindOf(mediaTypeOf(bytes, image)) === 'index') {
    const child = choosePlatform(parseIndex(bytes, image).manifests, hostPlatform())
    return child === undefined || child.digest === image ? undefined : layersOf(child.digest, documents)
  }
  const { config, layers } = parseManifest(bytes, image)
  const configBytes = documents.get(config.digest)
  if (configBytes === undefined) return undefined
  const diffIds = parseConfig(configBytes, config.digest).rootfs.diff_ids
  return layers.flatMap((layer, index) => {
    const diffId = diffIds[index]
    return diffId === undefined ? [] : [[diffId, layer] as const]
  })
}
