import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { SlipwayError } from '../core/error.ts'
import { compress, layerMediaType } from './compress.ts'
import { type Digest, finishDigest } from './digest.ts'
import { MEDIA_TYPES, type Repository } from './image.ts'
import type { Compression, LayerSource, WrittenLayer } from './layer-source.ts'

/**
 * A second reader of a layer's uncompressed tar in the same pass: the cache directory's copy, a progress display.
 */
export interface BlockConsumer {
  /** Before the first block, and again when the layer is read anew after a failed upload: what came before is void. */
  start(): void
  /** The next bytes, valid during the call (until its promise settles). */
  block(bytes: Uint8Array): void | Promise<void>
}

export interface WriteLayerOptions {
  /** gzip level 1 when absent. */
  readonly compression?: Compression
  readonly consumer?: BlockConsumer
  /** What an earlier pass found: enough where the layer is not compressed and nobody else reads along. */
  readonly measured?: Sums | undefined
}

/**
 * Makes, hashes, compresses and stores a layer in one pass, without a temporary file: the tar's blocks are hashed here,
 * compressed side by side, and hashed again by the repository while they travel. A failed upload replays the source.
 * Where layers are kept as they are, the layer is hashed and offered, and read again only where it is missing.
 */
export async function writeLayer(
  source: LayerSource,
  repository: Repository,
  options: WriteLayerOptions = {},
): Promise<WrittenLayer> {
  if (repository.offerLayer !== undefined) {
    const isMeasured = options.measured !== undefined && options.consumer === undefined
    const sums = isMeasured ? options.measured : await diffIdOf(source, options.consumer)
    repository.offerLayer({ ...sums, open: () => source.blocks() })
    const { diffId: digest, size } = sums
    return { ...sums, digest, compressedSize: size, mediaType: MEDIA_TYPES.ociLayer }
  }
  const compression = options.compression ?? { kind: 'gzip' }
  let last: Measured | undefined
  const stored = await repository.putBlob({
    open: () => {
      const measured = measure(source, options.consumer)
      last = measured
      return compress(measured.blocks, compression, source.blocksValid)
    },
  })
  const sums = last?.sums()
  if (sums === undefined) {
    throw new SlipwayError(
      'OCI_LAYER_UNREAD',
      `${repository.name} stored a layer without reading all of it`,
      {
        subject: repository.name,
      },
    )
  }
  return {
    ...sums,
    digest: stored.digest,
    compressedSize: stored.size,
    mediaType: layerMediaType(compression),
  }
}

/** The identity of a layer, by one pass that stores nothing: enough to know whether an earlier image has it already. */
export async function diffIdOf(
  source: LayerSource,
  consumer?: BlockConsumer,
): Promise<{ readonly diffId: Digest; readonly size: number }> {
  const measured = measure(source, consumer)
  // A synchronous source would keep every other layer's sockets and jobs waiting.
  for await (const _ of measured.blocks) await turn()
  return measured.sums() as Sums
}

export interface Sums {
  readonly diffId: Digest
  readonly size: number
}

interface Measured {
  readonly blocks: AsyncIterable<Uint8Array>
  /** Undefined until the blocks were read to their end. */
  sums(): Sums | undefined
}

function measure(source: LayerSource, consumer: BlockConsumer | undefined): Measured {
  let sums: Sums | undefined
  async function* blocks() {
    const hash = createHash('sha256')
    let size = 0
    consumer?.start()
    for await (const block of source.blocks()) {
      hash.update(block)
      size += block.length
      const taken = consumer?.block(block)
      if (taken !== undefined) await taken
      yield block
    }
    sums = { diffId: finishDigest(hash), size }
  }
  return { blocks: blocks(), sums: () => sums }
}
