import { SlipwayError } from '../core/error.ts'
import { copyBlob, eachBlob } from './copy.ts'
import { type Digest, digestOf } from './digest.ts'
import {
  type Descriptor,
  type HistoryEntry,
  type Image,
  type ImageConfig,
  type Manifest,
  MEDIA_TYPES,
  type Repository,
} from './image.ts'
import { configJson, manifestJson } from './image-json.ts'
import type { WrittenLayer } from './layer-source.ts'
import { parseConfig, parseManifest } from './parse-manifest.ts'
import { imageLayers } from './read-image.ts'

/** Docker's or OCI's media types; one manifest has only one family. */
export type MediaTypes = 'oci' | 'docker'

/** A layer on top of the base. An {@link ImageLayer} of another image is one too. */
export interface AddedLayer {
  readonly descriptor: Descriptor
  readonly diffId: Digest
  readonly history?: HistoryEntry
  /** Where the blob is, when it is not in the image's repository yet. */
  readonly repository?: Repository
}

export interface ImageDraft {
  readonly repository: Repository
  /** Tags in that repository; none stores the image under its digest only. */
  readonly tags: readonly string[]
  /** Its layers and their history come first. Nothing else is taken from it: `config` is the whole truth. */
  readonly base?: Image
  readonly layers: readonly AddedLayer[]
  /** Everything of the configuration but what follows from the layers. Unknown keys are kept. */
  readonly config: Omit<ImageConfig, 'rootfs' | 'history'>
  /** Time of the image and of every entry of its history (RFC 3339); theirs are kept where absent. */
  readonly created?: string
  /** The base's where absent, OCI's without a base. */
  readonly mediaTypes?: MediaTypes
  readonly annotations?: Readonly<Record<string, string>>
  /** Leave the base's layers where they are (cnb-spec LO-3: a sparse layout). */
  readonly sparse?: boolean
}

/** A layer that was just written. */
export function addedLayer(written: WrittenLayer, history?: HistoryEntry): AddedLayer {
  const { mediaType, digest, compressedSize: size, diffId } = written
  return { descriptor: { mediaType, digest, size }, diffId, ...(history === undefined ? {} : { history }) }
}

/**
 * Makes an image of layers and a configuration: stores what is missing (base layers are mounted or copied), then the
 * configuration, then the manifest under its tags. The same draft gives the same bytes.
 * @throws SlipwayError `OCI_MEDIA_TYPE_MIXED` for a zstd layer in a Docker manifest.
 */
export async function writeImage(draft: ImageDraft): Promise<Image> {
  const { repository, base } = draft
  const types = draft.mediaTypes ?? familyOf(base)
  const below = base === undefined ? [] : imageLayers(base)
  const layers = [...below, ...draft.layers]

  const history = [...(base === undefined ? [] : layerHistory(base.config)), ...draft.layers.map(historyOf)]
  const config: ImageConfig = {
    ...draft.config,
    ...(draft.created === undefined ? {} : { created: draft.created }),
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: history.map((entry) => normalEntry(entry, draft.created)),
  }
  const configBytes = Buffer.from(configJson(config))
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: types === 'docker' ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest,
    config: {
      mediaType: types === 'docker' ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.ociConfig,
      digest: digestOf(configBytes),
      size: configBytes.length,
    },
    layers: layers.map((layer) => inFamily(layer.descriptor, types)),
    ...(draft.annotations === undefined ? {} : { annotations: draft.annotations }),
  }
  const manifestBytes = Buffer.from(manifestJson(manifest))

  await eachBlob(
    (draft.sparse === true ? draft.layers : layers).map((layer) => ({
      ...layer,
      digest: layer.descriptor.digest,
    })),
    async (layer) => {
      if (layer.repository === undefined || isForeign(layer.descriptor)) return
      await copyBlob(layer.descriptor, layer.repository, repository)
    },
  )
  await repository.putBlob({ ...sizeAndDigest(manifest.config), open: () => once(configBytes) })
  const mediaType = manifest.mediaType as string
  const digest = await repository.putManifest(manifestBytes, mediaType, draft.tags)
  // As a reader will see it.
  return {
    digest,
    mediaType,
    manifestBytes,
    manifest: parseManifest(manifestBytes, digest),
    configBytes,
    config: parseConfig(configBytes, digest),
    repository,
  }
}

/** The family of an image's media types; OCI's for none. */
export function familyOf(image: Image | undefined): MediaTypes {
  return image?.mediaType === MEDIA_TYPES.dockerManifest ? 'docker' : 'oci'
}

/**
 * One entry of history for each layer: those without a layer are left out, and where the rest does not match the layers
 * all are blank, as the Go lifecycle does (cnb-spec EX-3).
 */
export function layerHistory(config: ImageConfig): readonly HistoryEntry[] {
  const withLayer = (config.history ?? []).filter((entry) => entry.empty_layer !== true)
  const count = config.rootfs.diff_ids.length
  return withLayer.length === count ? withLayer : Array.from({ length: count }, () => ({}))
}

function historyOf(layer: AddedLayer): HistoryEntry {
  return layer.history ?? {}
}

function normalEntry(entry: HistoryEntry, created: string | undefined): HistoryEntry {
  return created === undefined ? entry : { ...entry, created }
}

const FAMILIES: readonly (readonly [oci: string, docker: string])[] = [
  [MEDIA_TYPES.ociLayerGzip, MEDIA_TYPES.dockerLayerGzip],
  [MEDIA_TYPES.ociLayer, MEDIA_TYPES.dockerLayer],
]

/** A layer's descriptor with the type that its manifest's family has for it. */
export function inFamily(descriptor: Descriptor, types: MediaTypes): Descriptor {
  const { mediaType, digest, size, ...rest } = descriptor
  if (types === 'docker' && mediaType === MEDIA_TYPES.ociLayerZstd) {
    throw new SlipwayError('OCI_MEDIA_TYPE_MIXED', 'a zstd layer cannot stand in a Docker manifest', {
      subject: digest,
      hint: 'use OCI media types, or gzip',
      class: 'usage',
    })
  }
  const pair = FAMILIES.find((family) => family.includes(mediaType))
  const fitting = pair === undefined ? mediaType : types === 'docker' ? pair[1] : pair[0]
  return { mediaType: fitting, size, digest, ...rest }
}

function isForeign(descriptor: Descriptor): boolean {
  return descriptor.urls !== undefined && descriptor.urls.length > 0
}

function sizeAndDigest({ digest, size }: Descriptor): { readonly digest: Digest; readonly size: number } {
  return { digest, size }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
