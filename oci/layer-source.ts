import type { Digest } from './digest.ts'

/**
 * The uncompressed tar of a layer, made while it is read. The same bytes come at every call: a failed upload is
 * replayed from here, no temporary file is kept.
 */
export interface LayerSource {
  /** Full blocks of the tar, in order. A block is only valid until the next one is asked for, or as `blocksValid` says. */
  blocks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /**
   * How many further blocks may be asked for before a block's bytes are overwritten; 0 when absent. A source that
   * works in a ring of buffers says so here and is compressed without a copy.
   */
  readonly blocksValid?: number
}

export type Compression =
  | { readonly kind: 'gzip'; readonly level?: number }
  | { readonly kind: 'zstd'; readonly level?: number }
  | { readonly kind: 'none' }

/** What is known of a layer once it has been written. */
export interface WrittenLayer {
  /** Digest of the uncompressed tar: the layer's identity in labels and caches. */
  readonly diffId: Digest
  /** Uncompressed bytes. */
  readonly size: number
  /** Digest and size of what was stored. */
  readonly digest: Digest
  readonly compressedSize: number
  readonly mediaType: string
}
