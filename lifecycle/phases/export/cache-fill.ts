import { errorChain } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { Digest } from '../../../oci/digest.ts'
import type { BlockConsumer } from '../../../oci/write-layer.ts'
import type { CacheMetadata } from '../../../spec/labels/cache-metadata.ts'
import type { Cache, CacheLayerSink, CacheWriter } from '../../cache/cache.ts'
import type { LayerPlan } from './plan.ts'

/** A layer on its way into the cache; its `finish` says whether it got there. */
export interface CacheFillLayer extends BlockConsumer {
  finish(diffId: Digest): Promise<'added' | undefined>
  abandon(): Promise<void>
}

/**
 * The cache's side of an export. Whatever goes wrong with the cache is said and costs the cache, or one layer of it,
 * never the image (cnb-spec CA-1).
 */
export class CacheFill implements AsyncDisposable {
  /** What the cache held before. */
  readonly committed: CacheMetadata
  readonly #exists: boolean
  readonly #writer: CacheWriter
  readonly #emit: Emit

  private constructor(exists: boolean, committed: CacheMetadata, writer: CacheWriter, emit: Emit) {
    this.#exists = exists
    this.committed = committed
    this.#writer = writer
    this.#emit = emit
  }

  /** Undefined where the cache cannot be used; that has been said then. */
  static async begin(cache: Cache, emit: Emit): Promise<CacheFill | undefined> {
    try {
      return new CacheFill(await cache.exists(), await cache.metadata(), await cache.begin(), emit)
    } catch (error) {
      emit({ type: 'cache-failed', message: errorChain(error) })
      return undefined
    }
  }

  /** Whether the cache has the layer already; it is then kept. */
  async reuse(diffId: Digest, plan: LayerPlan): Promise<boolean> {
    if (plan.cache?.previous !== diffId) return false
    try {
      return await this.#writer.reuse(diffId)
    } catch (error) {
      this.#emit({ type: 'warning', message: `Skipping reuse for layer ${plan.id}: ${errorChain(error)}` })
      return false
    }
  }

  async add(plan: LayerPlan): Promise<CacheFillLayer | undefined> {
    try {
      return this.#guarded(await this.#writer.add(), plan)
    } catch (error) {
      this.#failed(plan, error)
      return undefined
    }
  }

  async commit(metadata: CacheMetadata): Promise<boolean> {
    if (!this.#exists) this.#emit({ type: 'info', message: 'Layer cache not found' })
    try {
      await this.#writer.commit(metadata)
      return true
    } catch (error) {
      this.#emit({ type: 'cache-failed', message: errorChain(error) })
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]()
  }

  /** After the first error the layer is given up, and the image goes on without it; at its end it is tried from its source. */
  #guarded(sink: CacheLayerSink, plan: LayerPlan): CacheFillLayer {
    let isOpen = true
    let isLost = false
    const attempt = async (work: () => void | Promise<void>) => {
      if (!isOpen) return
      try {
        await work()
      } catch (error) {
        isOpen = false
        isLost = this.#writer.replay !== undefined && plan.source !== undefined
        if (!isLost) this.#failed(plan, error)
        await sink.abandon().catch((later: unknown) => this.#failed(plan, later))
      }
    }
    return {
      start: () => void attempt(async () => sink.start()),
      block: (bytes) => attempt(() => sink.block(bytes)),
      finish: async (diffId) => {
        await attempt(() => sink.finish(diffId))
        return isOpen || (isLost && (await this.#replayed(diffId, plan))) ? 'added' : undefined
      },
      abandon: () => attempt(() => sink.abandon()),
    }
  }

  async #replayed(diffId: Digest, plan: LayerPlan): Promise<boolean> {
    if (plan.source === undefined) return false
    try {
      await this.#writer.replay?.(diffId, plan.source)
      return true
    } catch (error) {
      this.#failed(plan, error)
      return false
    }
  }

  #failed({ id }: LayerPlan, error: unknown): void {
    this.#emit({ type: 'warning', message: `Failed to cache layer '${id}': ${errorChain(error)}` })
  }
}
