import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Image, Repository } from '../../oci/image.ts'
import type { LayerSource } from '../../oci/layer-source.ts'
import { hostPlatform } from '../../oci/platform.ts'
import { imageLayers } from '../../oci/read-image.ts'
import { DEFAULT_TAG } from '../../oci/reference.ts'
import { type AddedLayer, addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'
import {
  type CacheMetadata,
  EMPTY_CACHE_METADATA,
  parseCacheMetadata,
  writeCacheMetadata,
} from '../../spec/labels/cache-metadata.ts'
import { LABELS } from '../../spec/labels/names.ts'
import { type ImageAccess, REFERENCE_NAMES } from '../context.ts'
import { findImage } from '../images/find.ts'
import { isCorruption } from '../images/previous-image.ts'
import type { Cache, CacheLayerSink, CacheWriter } from './cache.ts'
import { shasOf } from './metadata.ts'
import { PushedLayer } from './pushed-layer.ts'

/**
 * A cache in a registry, as the Go lifecycle keeps it (cnb-spec CA-4): an image whose layers are the cached ones and whose
 * label says which is which. A commit is the push of a manifest; what was pushed before it and not committed is no
 * image's. An image that is broken is none.
 * @param options.deletesReplaced whether a commit removes the image that was there before, where it is another one; that
 * it cannot is a warning. Default false.
 * @throws SlipwayError (when first read) where the registry cannot be asked
 */
export function cacheImage(
  name: string,
  access: ImageAccess,
  emit: Emit,
  { deletesReplaced = false }: { readonly deletesReplaced?: boolean } = {},
): Cache {
  const discarded = new Set<Digest>()
  let reading: Promise<Committed> | undefined
  const committed = () => (reading ??= readCommitted(name, access, emit))
  const layerOf = async (diffId: Digest) => {
    const { image } = await committed()
    return image && imageLayers(image).find((layer) => layer.diffId === diffId)
  }

  async function* openLayer(diffId: Digest): AsyncGenerator<Uint8Array> {
    const layer = await layerOf(diffId)
    if (layer === undefined) {
      throw new SlipwayError('CACHE_LAYER_MISSING', `failed to find cache layer with SHA '${diffId}'`, {
        subject: name,
        class: 'infrastructure',
      })
    }
    try {
      yield* layer.open()
    } catch (error) {
      throw isCorruption(error)
        ? new SlipwayError('CACHE_LAYER_CORRUPT', `cache layer with SHA '${diffId}' is broken`, {
            subject: name,
            class: 'infrastructure',
            cause: error,
          })
        : error
    }
  }

  return {
    name,
    exists: async () => (await committed()).image !== undefined,
    metadata: async () => (await committed()).metadata,
    openLayer,
    discard: async (diffId) => void discarded.add(diffId),
    begin: async () => {
      const reference = REFERENCE_NAMES.parse(name)
      const tag = reference.tag ?? DEFAULT_TAG
      const reusable = async (diffId: Digest) => (discarded.has(diffId) ? undefined : layerOf(diffId))
      const replaced = deletesReplaced ? (await committed()).image : undefined
      return new ImageWriter(access.repository(reference), tag, reusable, async ({ digest }) => {
        reading = undefined
        if (replaced !== undefined && replaced.digest !== digest) await deleteImage(replaced, emit)
      })
    },
  }
}

async function deleteImage({ repository, digest }: Image, emit: Emit): Promise<void> {
  try {
    await repository.deleteManifest?.(digest)
  } catch (error) {
    emit({ type: 'warning', message: `Unable to delete cache image: ${errorChain(error)}` })
  }
}

interface Committed {
  readonly image?: Image
  readonly metadata: CacheMetadata
}

async function readCommitted(name: string, access: ImageAccess, emit: Emit): Promise<Committed> {
  try {
    const found = await findImage(access, name)
    if (found === undefined) return { metadata: EMPTY_CACHE_METADATA }
    const { image } = found
    const label = image.config.config?.Labels?.[LABELS.cacheMetadata] ?? '{}'
    return { image, metadata: parseCacheMetadata(label, { file: `label ${LABELS.cacheMetadata}` }) }
  } catch (error) {
    const isBroken = isCorruption(error) || (error instanceof SlipwayError && error.code.startsWith('SPEC_'))
    if (!isBroken) throw error
    emit({ type: 'info', message: `Ignoring cache image "${name}" because it was corrupt` })
    return { metadata: EMPTY_CACHE_METADATA }
  }
}

class ImageWriter implements CacheWriter {
  readonly #repository: Repository
  readonly #tag: string
  readonly #reusable: (diffId: Digest) => Promise<AddedLayer | undefined>
  readonly #committed: (image: Image) => Promise<void>
  readonly #layers = new Map<Digest, AddedLayer>()
  readonly #open = new Set<PushedLayer>()

  constructor(
    repository: Repository,
    tag: string,
    reusable: (diffId: Digest) => Promise<AddedLayer | undefined>,
    committed: (image: Image) => Promise<void>,
  ) {
    this.#committed = committed
    this.#repository = repository
    this.#tag = tag
    this.#reusable = reusable
  }

  async reuse(diffId: Digest): Promise<boolean> {
    const layer = await this.#reusable(diffId)
    if (layer === undefined) return false
    // The registry may have cleaned up.
    if ((await this.#repository.blobSize(layer.descriptor.digest)) === undefined) return false
    this.#layers.set(diffId, { descriptor: layer.descriptor, diffId })
    return true
  }

  async add(): Promise<CacheLayerSink> {
    const layer = new PushedLayer(this.#repository)
    this.#open.add(layer)
    return {
      start: () => layer.start(),
      block: (bytes) => layer.block(bytes),
      finish: async (diffId) => {
        this.#layers.set(diffId, addedLayer(await layer.finish()))
        this.#open.delete(layer)
      },
      abandon: async () => {
        this.#open.delete(layer)
        await layer.abandon()
      },
    }
  }

  async replay(diffId: Digest, source: LayerSource): Promise<void> {
    const written = await writeLayer(source, this.#repository)
    if (written.diffId !== diffId) {
      throw new SlipwayError('CACHE_LAYER_CHANGED', 'the layer changed while it was cached', {
        subject: this.#repository.name,
      })
    }
    this.#layers.set(diffId, addedLayer(written))
  }

  async commit(metadata: CacheMetadata): Promise<void> {
    // In the order of the metadata, whichever was ready first: the same content is the same image.
    const layers = [...new Set(shasOf(metadata))].flatMap((diffId) => this.#layers.get(diffId) ?? [])
    const image = await writeImage({
      repository: this.#repository,
      tags: [this.#tag],
      layers: layers.length > 0 ? layers : [addedLayer(await writeLayer(EMPTY_LAYER, this.#repository))],
      created: '1980-01-01T00:00:01Z',
      config: {
        os: 'linux',
        architecture: hostPlatform().architecture,
        config: { Labels: { [LABELS.cacheMetadata]: writeCacheMetadata(metadata) } },
      },
      mediaTypes: 'oci',
    })
    await this.#committed(image)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const layer of this.#open) await layer.abandon()
  }
}

/** Registries do not take an image without layers. */
const EMPTY_LAYER = { blocks: () => [Buffer.alloc(1024)] }
