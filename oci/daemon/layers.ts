import { SlipwayError } from '../../core/error.ts'
import { decompress } from '../decompress.ts'
import type { Digest } from '../digest.ts'
import { type BlobSource, type Descriptor, MEDIA_TYPES, type PlainLayer } from '../image.ts'
import { createMeter } from '../verify.ts'
import type { Chunks } from './connection.ts'
import type { DaemonImage } from './daemon.ts'
import type { Engine } from './engine.ts'
import { keepSavedImage, type SavedImage } from './saved-image.ts'
import type { LayerShelf } from './shelf.ts'

/** Bytes that a daemon can be sent for a layer: its tar, or that compressed. */
export interface LayerBytes {
  /** Of these bytes. */
  readonly descriptor: Descriptor
  open(): Chunks
}

interface LayerSources {
  readonly engine: Engine
  readonly images: ReadonlyMap<Digest, DaemonImage>
  readonly offered: ReadonlyMap<Digest, PlainLayer>
  readonly blobs: ReadonlyMap<Digest, BlobSource>
  readonly shelf: LayerShelf
  readonly temporary: string
}

/** Where layers can be had from: the build, the shelf, and what is slow, the daemon itself. */
export class DaemonLayers implements Disposable {
  readonly #from: LayerSources
  readonly #saved = new Map<Digest, Promise<SavedImage>>()

  constructor(from: LayerSources) {
    this.#from = from
  }

  /** Whether an image that was looked at has the layer. */
  isKnown(diffId: Digest): boolean {
    return this.#imageWith(diffId) !== undefined
  }

  /** A blob or a layer as it is kept here. @throws SlipwayError `OCI_BLOB_MISSING` */
  async open(digest: Digest): Promise<Chunks> {
    const { blobs, offered, shelf } = this.#from
    const near = blobs.get(digest) ?? offered.get(digest) ?? shelf.find(digest)
    // A layer is named by what it is unpacked.
    return near === undefined ? decompress((await this.#savedLayer(digest)).open()) : near.open()
  }

  /**
   * The bytes of a layer from wherever they are nearest. What the build has made stays on the shelf as it is read.
   * @param given its descriptor in the image's manifest
   * @param trustShelf false where what is kept was refused
   * @throws SlipwayError `OCI_BLOB_MISSING`
   */
  async bytes(
    given: Descriptor,
    diffId: Digest,
    { trustShelf }: { readonly trustShelf: boolean },
  ): Promise<LayerBytes> {
    const { offered, blobs, shelf } = this.#from
    const made = offered.get(diffId)
    if (made !== undefined) {
      return { descriptor: tarDescriptor(made), open: () => shelved(made.open(), diffId, shelf) }
    }
    const blob = blobs.get(given.digest)
    if (blob?.size !== undefined) return { descriptor: given, open: () => blob.open() }
    const kept = trustShelf ? shelf.find(diffId) : undefined
    if (kept !== undefined) return { descriptor: tarDescriptor(kept), open: () => checked(kept, shelf) }
    return this.#savedLayer(diffId)
  }

  async #savedLayer(diffId: Digest): Promise<LayerBytes> {
    const image = this.#imageWith(diffId)
    const layer = image && (await this.#save(image.id)).layer(diffId)
    if (layer !== undefined) return layer
    throw new SlipwayError('OCI_BLOB_MISSING', `the container daemon has no layer ${diffId}`, {
      subject: diffId,
      hint: 'An image was removed since the build began; build again.',
      class: 'infrastructure',
    })
  }

  #imageWith(diffId: Digest): DaemonImage | undefined {
    return [...this.#from.images.values()].find(({ diffIds }) => diffIds.includes(diffId))
  }

  #save(id: Digest): Promise<SavedImage> {
    const { engine, temporary } = this.#from
    const saved = this.#saved.get(id) ?? keepSavedImage(engine.save([id]), temporary)
    this.#saved.set(id, saved)
    return saved
  }

  [Symbol.dispose](): void {
    // One that failed has nothing left to dispose of.
    for (const saved of this.#saved.values())
      void saved.then(
        (image) => image[Symbol.dispose](),
        () => {},
      )
  }
}

function tarDescriptor({ diffId, size }: PlainLayer): Descriptor {
  return { mediaType: MEDIA_TYPES.ociLayer, digest: diffId, size }
}

/** A layer from the shelf; a broken one does not stay there. */
async function* checked(kept: PlainLayer, shelf: LayerShelf): AsyncGenerator<Uint8Array, void> {
  const meter = createMeter(kept.diffId, { digest: kept.diffId, size: kept.size })
  for await (const chunk of kept.open()) {
    meter.add(chunk)
    yield chunk
  }
  try {
    meter.finish()
  } catch (error) {
    shelf.discard(kept.diffId)
    throw error
  }
}

/** A layer on its way, which stays on the shelf as well. */
async function* shelved(chunks: Chunks, diffId: Digest, shelf: LayerShelf): AsyncGenerator<Uint8Array, void> {
  const sink = shelf.add(diffId)
  if (sink === undefined) return yield* chunks
  let isComplete = false
  try {
    sink.start()
    for await (const chunk of chunks) {
      sink.block(chunk)
      yield chunk
    }
    isComplete = true
  } finally {
    if (isComplete) sink.finish()
    else sink.abandon()
  }
}
