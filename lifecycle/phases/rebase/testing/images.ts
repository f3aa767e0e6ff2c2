import type { Image, ImageConfig, Platform } from '../../../../oci/image.ts'
import { imageLayers, readImage } from '../../../../oci/read-image.ts'
import { identifier, parseReference } from '../../../../oci/reference.ts'
import { randomImage } from '../../../../oci/testing/index.ts'
import { type MediaTypes, writeImage } from '../../../../oci/write-image.ts'
import type { ImageAccess } from '../../../context.ts'

type Labels = Readonly<Record<string, string>>

export const BASE_LABELS: Labels = {
  'io.buildpacks.base.id': 'test.base',
  'io.buildpacks.base.distro.name': 'debian',
  'io.buildpacks.base.distro.version': '13',
}
export const STACK_LABELS: Labels = {
  'io.buildpacks.stack.id': 'test.stack',
  'io.buildpacks.stack.mixins': '["run:curl", "git"]',
}

/** Run images, and apps built on them, for tests of rebasing. */
export interface Images {
  base(name: string, options?: BaseOptions): Promise<Image>
  app(name: string, base: Image, options?: AppOptions): Promise<Image>
  read(name: string): Promise<Image>
}

interface BaseOptions {
  readonly seed?: number
  readonly layers?: number
  readonly labels?: Labels
  readonly platform?: Platform
  readonly mediaTypes?: MediaTypes
  readonly compression?: { readonly kind: 'gzip' | 'zstd' }
}

interface AppOptions {
  /** CNB_PLATFORM_API in its environment. */
  readonly platformApi?: string
  readonly labels?: Labels
  /** Members of its metadata label. */
  readonly metadata?: object
  readonly mediaTypes?: MediaTypes
  readonly config?: Partial<ImageConfig>
}

export function rebaseImages(access: ImageAccess): Images {
  const place = (name: string) => {
    const reference = parseReference(name)
    return { repository: access.repository(reference), tags: [identifier(reference)] }
  }
  return {
    base: (name, { seed = 1, labels = BASE_LABELS, ...options } = {}) =>
      randomImage({
        ...place(name),
        seed,
        config: { Env: ['PATH=/bin', `BASE=${seed}`], User: `base${seed}`, Labels: labels },
        ...options,
      }),
    async app(name, base, options = {}) {
      const { platformApi = '0.15', labels = {}, metadata = {} } = options
      const own = await randomImage({ ...place(name), tags: [], seed: 99, layers: 2 })
      const run = { image: 'registry.example/base:run', mirrors: ['mirror.example/base:run'] }
      const label = {
        app: [{ sha: imageLayers(own)[1]?.diffId }],
        buildpacks: [
          {
            key: 'a/b',
            version: '1',
            layers: {
              deps: {
                sha: imageLayers(own)[0]?.diffId,
                data: { v: 1 },
                build: false,
                launch: true,
                cache: false,
              },
            },
          },
        ],
        config: { sha: '' },
        launcher: { sha: '' },
        'process-types': { sha: '' },
        runImage: { topLayer: base.config.rootfs.diff_ids.at(-1), reference: `old@${base.digest}`, ...run },
        stack: { runImage: run },
        ...metadata,
      }
      return writeImage({
        ...place(name),
        base,
        layers: imageLayers(own),
        created: '1980-01-01T00:00:01Z',
        config: {
          ...base.config,
          ...options.config,
          config: {
            Env: ['PATH=/cnb/process:/bin', `CNB_PLATFORM_API=${platformApi}`, 'X=a=b'],
            User: 'app',
            Entrypoint: ['/cnb/process/web'],
            WorkingDir: '/workspace',
            Labels: {
              ...base.config.config?.Labels,
              'io.buildpacks.lifecycle.metadata': JSON.stringify(label),
              'io.buildpacks.build.metadata': '{"kept":true}',
              mine: 'too',
              ...labels,
            },
          },
        },
        ...(options.mediaTypes === undefined ? {} : { mediaTypes: options.mediaTypes }),
      })
    },
    async read(name) {
      const { repository, tags } = place(name)
      const image = await readImage(repository, tags[0] ?? '')
      if (image === undefined) throw new Error(`there is no ${name}`)
      return image
    },
  }
}
