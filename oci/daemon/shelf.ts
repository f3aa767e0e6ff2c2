import type { Digest } from '../digest.ts'
import type { PlainLayer } from '../image.ts'
import type { BlockConsumer } from '../write-layer.ts'

/**
 * Where layers are kept beside a daemon as plain tars. A daemon gives back a single layer only with the whole image, so
 * whatever may have to be sent again without its directory is worth keeping.
 */
export interface LayerShelf {
  /** Undefined where it is not kept. What comes is to be checked. */
  find(diffId: Digest): PlainLayer | undefined
  /** Says that a layer was found to be broken. */
  discard(diffId: Digest): void
  /** Receives a layer while it is sent; undefined where it is kept already. */
  add(diffId: Digest): ShelfSink | undefined
  /** Keeps these layers and no others. */
  keepOnly(diffIds: readonly Digest[]): void
}

export interface ShelfSink extends BlockConsumer {
  block(bytes: Uint8Array): void
  finish(): void
  abandon(): void
}

export const NO_SHELF: LayerShelf = {
  find: () => undefined,
  discard: () => {},
  add: () => undefined,
  keepOnly: () => {},
}
