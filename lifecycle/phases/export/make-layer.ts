import { monotonicNow } from '../../../core/clock.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { LayerOutcome } from '../../../core/event.ts'
import { copyBlob } from '../../../oci/copy.ts'
import type { Digest } from '../../../oci/digest.ts'
import type { Image, Repository } from '../../../oci/image.ts'
import type { Compression } from '../../../oci/layer-source.ts'
import { type ImageLayer, imageLayers } from '../../../oci/read-image.ts'
import { type AddedLayer, addedLayer } from '../../../oci/write-image.ts'
import { type BlockConsumer, diffIdOf, writeLayer } from '../../../oci/write-layer.ts'
import type { CacheFill } from './cache-fill.ts'
import type { LayerPlan } from './plan.ts'
import type { Recall, Sums } from './recall.ts'

/** A layer that has its place in the image's repository, in the cache, or in both. */
export interface MadeLayer {
  readonly plan: LayerPlan
  readonly diffId: Digest
  /** Uncompressed bytes; absent where it was not read. */
  readonly size?: number
  readonly image?: {
    readonly layer: AddedLayer
    readonly outcome: LayerOutcome
  }
  /** Absent also where it could not be put into the cache. */
  readonly cache?: 'reused' | 'added'
  readonly milliseconds: number
}

export interface LayerStores {
  /** Of the new image. */
  readonly repository: Repository
  /** Layers of the previous image by diffID. */
  readonly previous: ReadonlyMap<Digest, ImageLayer>
  readonly cache?: CacheFill
  readonly recall: Recall
  readonly compression: Compression
}

export function layersByDiffId(image: Image | undefined): ReadonlyMap<Digest, ImageLayer> {
  return new Map((image === undefined ? [] : imageLayers(image)).map((layer) => [layer.diffId, layer]))
}

/**
 * Brings one layer where it belongs with as little work as can be (cnb-spec §5.4, RU-1 and RU-2). A layer that the
 * previous image or the cache may have already is read and hashed first, and compressed, sent or written only where
 * it turns out to be new; any other is made in one pass for image and cache together. One that nobody touched since it
 * was last read is not read at all.
 */
export async function makeLayer(plan: LayerPlan, stores: LayerStores): Promise<MadeLayer> {
  const start = monotonicNow()
  const made =
    plan.source === undefined
      ? await takeUntouched(plan, stores)
      : await makeRecalled(plan, plan.source, stores)
  return { plan, ...made, milliseconds: monotonicNow() - start }
}

type Made = Omit<MadeLayer, 'plan' | 'milliseconds'>

async function takeUntouched(plan: LayerPlan, stores: LayerStores): Promise<Made> {
  const [sha] = plan.image?.previous ?? []
  const layer = sha === undefined ? undefined : await reuse(sha, plan, stores)
  if (sha === undefined || layer === undefined) {
    throw new SlipwayError(
      'EXPORT_LAYER_GONE',
      `reusing layer: '${plan.id}': the previous image has no layer ${sha ?? ''}`,
      {
        subject: plan.id,
        hint: 'The previous image was changed or removed since it was analyzed; build again.',
        class: 'infrastructure',
      },
    )
  }
  return { diffId: layer.diffId, image: { layer, outcome: 'reused-untouched' } }
}

/** A layer whose directory may be known from before. */
async function makeRecalled(
  plan: LayerPlan,
  source: NonNullable<LayerPlan['source']>,
  stores: LayerStores,
): Promise<Made> {
  if (plan.recall === undefined) return makeFrom(plan, source, undefined, stores)
  const { known, learn } = await stores.recall.begin(plan.recall)
  const made = await makeFrom(plan, source, known, stores)
  learn(made)
  return made
}

async function makeFrom(
  plan: LayerPlan,
  source: NonNullable<LayerPlan['source']>,
  known: Sums | undefined,
  stores: LayerStores,
): Promise<Made> {
  const { cache, repository } = stores
  const measured = known ?? (mayBeKnown(plan, stores) ? await diffIdOf(source) : undefined)
  const reused = measured && plan.image && (await reuse(measured.diffId, plan, stores))
  const inCache = (measured && plan.cache && (await cache?.reuse(measured.diffId, plan))) ?? false
  // A cache beside the image gets the image's blob afterwards; any other is written in the same pass.
  const isShared = plan.image !== undefined && (cache?.sharesBlobsWith(repository) ?? false)
  const consumer = plan.cache && !inCache && !isShared ? await cache?.add(plan) : undefined
  try {
    const { sums, image } = await bring(plan, source, { measured, reused, consumer }, stores)
    const cached = inCache
      ? 'reused'
      : plan.cache && isShared && image !== undefined
        ? await cache?.take(image.layer, repository, plan)
        : await consumer?.finish(sums.diffId)
    return {
      ...sums,
      ...(image === undefined ? {} : { image }),
      ...(cached === undefined ? {} : { cache: cached }),
    }
  } catch (error) {
    await consumer?.abandon()
    throw error
  }
}

/** Reads the layer as far as is needed, for image and consumer together. */
async function bring(
  plan: LayerPlan,
  source: NonNullable<LayerPlan['source']>,
  given: {
    readonly measured: Sums | undefined
    readonly reused: AddedLayer | undefined
    readonly consumer: BlockConsumer | undefined
  },
  { compression, repository }: LayerStores,
): Promise<{ readonly sums: Sums; readonly image?: NonNullable<Made['image']> }> {
  const { measured, reused, consumer } = given
  if (plan.image === undefined || reused !== undefined) {
    const { diffId, size } =
      consumer === undefined && measured !== undefined ? measured : await diffIdOf(source, consumer)
    const sums = { diffId, size }
    // It may have to be sent all the same, where what is below it changed.
    if (reused !== undefined) repository.offerLayer?.({ ...sums, open: () => source.blocks() })
    return reused === undefined ? { sums } : { sums, image: { layer: reused, outcome: 'reused' } }
  }
  const written = await writeLayer(source, repository, { compression, measured, ...consumerOption(consumer) })
  const { diffId, size } = written
  const layer = addedLayer(written, { created_by: plan.image.createdBy })
  return { sums: { diffId, size }, image: { layer, outcome: 'added' } }
}

function mayBeKnown({ image, cache }: LayerPlan, { previous }: LayerStores): boolean {
  return (
    (image?.previous ?? []).some((sha) => previous.has(sha as Digest)) ||
    (cache !== undefined && cache.previous !== '')
  )
}

/** The previous image's layer, made available in the new image's repository; undefined where that cannot be. */
async function reuse(sha: string, plan: LayerPlan, stores: LayerStores): Promise<AddedLayer | undefined> {
  const found = stores.previous.get(sha as Digest)
  if (found === undefined || plan.image === undefined) return undefined
  try {
    await copyBlob(found.descriptor, found.repository, stores.repository)
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'OCI_BLOB_MISSING') return undefined
    throw error
  }
  return {
    descriptor: found.descriptor,
    diffId: found.diffId,
    history: { created_by: plan.image.createdBy },
  }
}

function consumerOption(consumer: BlockConsumer | undefined): { consumer?: BlockConsumer } {
  return consumer === undefined ? {} : { consumer }
}
