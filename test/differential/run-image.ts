import { createHttpClient } from '../../core/http/index.ts'
import type { Digest } from '../../oci/digest.ts'
import type { ImageConfig, Platform, Repository } from '../../oci/image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/index.ts'
import type { TestRegistry } from '../../oci/registry/testing/server.ts'
import { randomImage } from '../../oci/testing/index.ts'
import type { MediaTypes } from '../../oci/write-image.ts'

/** Where run images are. */
export const RUN_REPOSITORY = 'run'

export interface RunImage {
  /** `base` where absent: the one that apps are built on. */
  readonly tag?: string
  /** Another seed, other layers. */
  readonly seed?: number
  readonly mediaTypes?: MediaTypes
  readonly platform?: Platform
  /** Instead of the base's, or none where it is undefined. */
  readonly labels?: Readonly<Record<string, string | undefined>>
  /** Instead of all of the base's. */
  readonly config?: NonNullable<ImageConfig['config']>
}

/** Another one that extensions may switch to. */
export const OTHER_RUN_IMAGE: RunImage = {
  tag: 'other',
  seed: 2,
  config: {
    Env: ['PATH=/other'],
    Labels: { 'io.buildpacks.base.distro.name': 'other', 'io.buildpacks.base.distro.version': '1' },
  },
}

const LABELS = {
  'io.buildpacks.stack.id': 'io.test.stack',
  'io.buildpacks.base.distro.name': 'debian',
  'io.buildpacks.base.distro.version': '13',
  'io.buildpacks.rebasable': 'true',
  'of.the.base': 'kept & <escaped>',
}

/** Pushes a run image. @returns its digest */
export async function putRunImage(server: TestRegistry, image: RunImage = {}): Promise<Digest> {
  const http = createHttpClient({})
  try {
    const reference = parseReference(`${server.host}/${RUN_REPOSITORY}`)
    return await writeRunImage(createRegistry({ http }).repository(reference), image)
  } finally {
    await http.close()
  }
}

export async function writeRunImage(repository: Repository, image: RunImage): Promise<Digest> {
  const { tag = 'base', seed = 1, mediaTypes = 'docker', labels = {} } = image
  const { platform = { os: 'linux', architecture: 'amd64' } } = image
  const given = Object.entries({ ...LABELS, ...labels }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value]],
  )
  const { digest } = await randomImage({
    repository,
    tags: [tag],
    seed,
    layers: 2,
    mediaTypes,
    platform,
    config: image.config ?? {
      User: '1000:1000',
      Env: ['PATH=/usr/bin:/bin', 'CNB_STACK_ID=io.test.stack', 'WITH_EQUALS=a=b'],
      Cmd: ['/bin/sh'],
      Labels: Object.fromEntries(given),
    },
  })
  return digest
}
