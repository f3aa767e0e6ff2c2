import type { Image, ImageConfig, Platform, Repository } from '../image.ts'
import type { Compression } from '../layer-source.ts'
import { entriesLayer, type LayerEntry } from '../tar/walk.ts'
import { type AddedLayer, addedLayer, type MediaTypes, writeImage } from '../write-image.ts'
import { writeLayer } from '../write-layer.ts'
import { memoryRepository } from './memory-repository.ts'

export interface RandomImageOptions {
  /** A fresh one in memory where absent. */
  readonly repository?: Repository
  /** `latest` where absent. */
  readonly tags?: readonly string[]
  /** Another number, another image; the same number, the same bytes. */
  readonly seed?: number
  readonly layers?: number
  readonly filesPerLayer?: number
  /** Bytes of the largest file. */
  readonly fileSize?: number
  readonly platform?: Platform
  readonly mediaTypes?: MediaTypes
  readonly compression?: Compression
  readonly config?: ImageConfig['config']
}

/** An image of made-up files, complete and right in every digest; what a test needs when any image will do. */
export async function randomImage(options: RandomImageOptions = {}): Promise<Image> {
  const { seed = 1, layers = 2, filesPerLayer = 3, fileSize = 5000 } = options
  const repository = options.repository ?? memoryRepository()
  const random = randomNumbers(seed)
  const added: AddedLayer[] = []
  for (let layer = 0; layer < layers; layer++) {
    const source = entriesLayer(randomFiles(random, layer, filesPerLayer, fileSize))
    const written = await writeLayer(
      source,
      repository,
      options.compression === undefined ? {} : { compression: options.compression },
    )
    added.push(addedLayer(written, { created_by: `layer ${layer}` }))
  }
  return writeImage({
    repository,
    tags: options.tags ?? ['latest'],
    layers: added,
    created: '1980-01-01T00:00:01Z',
    config: {
      ...(options.platform ?? { os: 'linux', architecture: 'amd64' }),
      config: options.config ?? { Env: ['PATH=/usr/bin:/bin'], Labels: { seed: String(seed) } },
    },
    ...(options.mediaTypes === undefined ? {} : { mediaTypes: options.mediaTypes }),
  })
}

/** Numbers in [0, 1) from a seed (mulberry32): enough for files nobody reads. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function randomFiles(random: () => number, layer: number, count: number, size: number): LayerEntry[] {
  const owner = { uid: 0, gid: 0 }
  const directory = `/layer-${layer}`
  return [
    { type: 'directory', name: directory, mode: 0o755, ...owner },
    ...Array.from({ length: count }, (_, index): LayerEntry => {
      const content = Buffer.alloc(Math.ceil(random() * size))
      for (let at = 0; at < content.length; at++) content[at] = random() * 256
      return { type: 'file', name: `${directory}/file-${index}`, mode: 0o644, ...owner, content }
    }),
  ]
}
