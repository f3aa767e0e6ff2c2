import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/image.ts'
import type { LayerSource } from '../../oci/layer-source.ts'
import type { AddedLayer } from '../../oci/write-image.ts'
import type { BlockConsumer } from '../../oci/write-layer.ts'
import type { CacheMetadata } from '../../spec/labels/cache-metadata.ts'
import type { LayerRecords } from './records.ts'

/**
 * Where the contents of cache=true layers outlive a build (cnb-spec §5.10). What is committed stays as it is until
 * the next commit; a commit that fails half-way, or never comes, changes nothing.
 */
export interface Cache {
  /** For people: a directory or the name of an image. */
  readonly name: string
  /** Whether there is a place for the cache: a directory always is, an image may not have been pushed yet. */
  exists(): Promise<boolean>
  /** What was committed last; empty where nothing was, or where it cannot be read. */
  metadata(): Promise<CacheMetadata>
  /**
   * The tar of a committed layer, checked against its diffID while it is read. Where they differ the iteration ends
   * with an error after its last block: who writes what it reads must be able to take that back.
   * @throws SlipwayError `CACHE_LAYER_MISSING`, `CACHE_LAYER_CORRUPT`
   */
  openLayer(diffId: Digest): AsyncIterable<Uint8Array>
  /** Says that a committed layer was found to be broken, so that no later commit takes it over. */
  discard(diffId: Digest): Promise<void>
  /** Where a record of the layers on disk is kept; absent where a cache cannot, as it is not on this machine. */
  readonly records?: { read(): LayerRecords; write(records: LayerRecords): void }
  /** Begins the next content of the cache. */
  begin(): Promise<CacheWriter>
}

/** The content of a cache that is to come. Disposing of it before `commit` throws it away. */
export interface CacheWriter extends AsyncDisposable {
  /** Takes a committed layer over without copying it; false where it is missing or broken. */
  reuse(diffId: Digest): Promise<boolean>
  /** A layer whose tar is being made. */
  add(): Promise<CacheLayerSink>
  /**
   * Takes a layer from its source, which can be read as often as its upload needs. For one whose tar was lost on the way;
   * absent where a second try would end like the first.
   */
  replay?(diffId: Digest, source: LayerSource): Promise<void>
  /** Absent where tars are kept, not blobs. */
  readonly blobs?: {
    /** Whether a repository's blobs can be had without sending their bytes. */
    sharedWith(repository: Repository): boolean
    /** Takes a layer over that has just come to be there. */
    take(layer: AddedLayer, from: Repository): Promise<void>
  }
  /** Puts the new content in the place of the old one, in one step. */
  commit(metadata: CacheMetadata): Promise<void>
}

/** Receives the tar of one layer while it is made. */
export interface CacheLayerSink extends BlockConsumer {
  /** The tar is complete and its digest known. */
  finish(diffId: Digest): Promise<void>
  /** The tar will not become complete. */
  abandon(): Promise<void>
}
