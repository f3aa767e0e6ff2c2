import { SlipwayError } from '../../core/error.ts'
import type { Repository } from '../../oci/image.ts'
import type { LayerSource, WrittenLayer } from '../../oci/layer-source.ts'
import { type BlockConsumer, writeLayer } from '../../oci/write-layer.ts'

/**
 * The upload of a layer whose tar somebody else makes, block by block, without keeping it: a block is taken when the
 * upload wants it, and its maker waits meanwhile. The tar cannot be read again, so what the repository's client would
 * try once more fails here, and the writer is given the layer's source afterwards ({@link CacheWriter.replay}).
 */
export class PushedLayer implements BlockConsumer {
  readonly #repository: Repository
  #pipe: Pipe | undefined
  #upload: Promise<WrittenLayer> | undefined

  constructor(repository: Repository) {
    this.#repository = repository
  }

  /** Begins, or begins anew where the maker does. */
  start(): void {
    this.#pipe?.end(givenUp())
    const pipe = new Pipe()
    const upload = writeLayer(pipe, this.#repository)
    // Whoever pushes or finishes is told; that nobody does so for a moment is no fault.
    upload.catch((error: unknown) => pipe.fail(error))
    this.#pipe = pipe
    this.#upload = upload
  }

  block(bytes: Uint8Array): Promise<void> {
    return this.#pipe?.push(bytes) ?? Promise.reject(givenUp())
  }

  /** The tar is complete; gives what was stored. */
  async finish(): Promise<WrittenLayer> {
    if (this.#upload === undefined) throw givenUp()
    this.#pipe?.end()
    return this.#upload
  }

  /** The tar will not become complete. Ends when the upload has. */
  async abandon(): Promise<void> {
    this.#pipe?.end(givenUp())
    await this.#upload?.catch(() => undefined)
  }
}

function givenUp(): SlipwayError {
  return new SlipwayError('CACHE_LAYER_GIVEN_UP', 'the upload of a cached layer was given up', {
    class: 'infrastructure',
  })
}

/** One block at a time from a maker that pushes to a reader that pulls. */
class Pipe implements LayerSource {
  #opened = false
  #ended = false
  #error: unknown
  #block: Uint8Array | undefined
  #taken: PromiseWithResolvers<void> | undefined
  #filled: PromiseWithResolvers<void> | undefined

  /** Settles when the block's bytes are no longer needed. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    const taken = Promise.withResolvers<void>()
    this.#taken = taken
    this.#block = bytes
    this.#filled?.resolve()
    await taken.promise
  }

  end(error?: unknown): void {
    this.#ended = true
    if (error !== undefined) this.fail(error)
    this.#filled?.resolve()
  }

  /** Nobody reads any more. */
  fail(error: unknown): void {
    this.#error ??= error
    this.#taken?.reject(error)
    this.#filled?.resolve()
  }

  async *blocks(): AsyncGenerator<Uint8Array> {
    if (this.#opened) {
      throw new SlipwayError(
        'CACHE_LAYER_GIVEN_UP',
        'the upload failed, and the layer cannot be read again',
        {
          class: 'infrastructure',
        },
      )
    }
    this.#opened = true
    for (;;) {
      while (this.#block === undefined && !this.#ended && this.#error === undefined) {
        this.#filled = Promise.withResolvers<void>()
        await this.#filled.promise
      }
      if (this.#error !== undefined) throw this.#error
      const block = this.#block
      if (block === undefined) return
      yield block
      this.#block = undefined
      this.#taken?.resolve()
    }
  }
}
