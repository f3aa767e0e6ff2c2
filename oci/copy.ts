import type { Digest } from './digest.ts'
import type { Descriptor, Image, Repository } from './image.ts'

/** How a blob got there. */
export type Copied = 'present' | 'mounted' | 'copied'

/** Blobs on their way at once. */
const PARALLEL = 4

/**
 * Makes a blob available in another repository: not at all where it is there, by a mount where both share a place, else
 * by its bytes, which pass through without being held.
 * @param held the bytes, where the caller has them anyway
 */
export async function copyBlob(
  descriptor: Descriptor,
  from: Repository,
  to: Repository,
  held?: Uint8Array,
): Promise<Copied> {
  const { digest, size } = descriptor
  if ((await to.blobSize(digest)) !== undefined) return 'present'
  if (await to.mountBlob(digest, from)) return 'mounted'
  const { openBlobFrom } = from
  await to.putBlob({
    digest,
    size,
    ...(held !== undefined
      ? { open: () => once(held) }
      : {
          open: () => from.openBlob(digest, size),
          ...(openBlobFrom === undefined ? {} : { openFrom: (offset) => openBlobFrom(digest, offset, size) }),
        }),
  })
  return 'copied'
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/**
 * Copies an image with its very bytes and names it. Layers that are kept elsewhere by their `urls` (foreign layers) stay
 * there.
 */
export async function copyImage(image: Image, to: Repository, tags: readonly string[]): Promise<Image> {
  const { config, layers } = image.manifest
  const blobs = [config, ...layers.filter((layer) => layer.urls === undefined || layer.urls.length === 0)]
  await eachBlob(blobs, (blob) =>
    copyBlob(blob, image.repository, to, blob === config ? image.configBytes : undefined),
  )
  await to.putManifest(image.manifestBytes, image.mediaType, tags)
  return { ...image, repository: to }
}

/** Does something for every blob, each digest once, a few at a time. The first failure ends it. */
export async function eachBlob<T extends { readonly digest: Digest }>(
  blobs: readonly T[],
  work: (blob: T) => Promise<unknown>,
): Promise<void> {
  const pending = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()]
  let failed = false
  const worker = async () => {
    for (let next = pending.shift(); next !== undefined && !failed; next = pending.shift()) {
      try {
        await work(next)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, worker))
  const failure = ended.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}
