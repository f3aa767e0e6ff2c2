import { createHttpClient } from '../../core/http/index.ts'
import type { Platform, Repository } from '../../oci/image.ts'
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
  readonly env?: readonly string[]
  /** Instead of the base's, or none where it is undefined. */
  readonly labels?: Readonly<Record<string, string | undefined>>
}

const LABELS = {
  'io.buildpacks.stack.id': 'io.test.stack',
  'io.buildpacks.base.distro.name': 'debian',
  'io.buildpacks.base.distro.version': '13',
  'io.buildpacks.rebasable': 'true',
  'of.the.base': 'kept & <escaped>',
}

const ENV = ['PATH=/usr/bin:/bin', 'CNB_STACK_ID=io.test.stack', 'WITH_EQUALS=a=b']

/** Pushes a run image. */
export async function putRunImage(server: TestRegistry, image: RunImage = {}): Promise<void> {
  const http = createHttpClient({})
  try {
    const reference = parseReference(`${server.host}/${RUN_REPOSITORY}`)
    await writeRunImage(createRegistry({ http }).repository(reference), image)
  } finally {
    await http.close()
  }
}

export async function writeRunImage(repository: Repository, image: RunImage): Promise<void> {
  const { tag = 'base', seed = 1, mediaTypes = 'docker', labels = {}, env = ENV } = image
  const { platform = { os: 'linux', architecture: 'amd64' } } = image
  const given = Object.entries({ ...LABELS, ...labels }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value]],
  )
  await randomImage({
    repository,
    tags: [tag],
    seed,
    layers: 2,
    mediaTypes,
    platform,
    config: {
      User: '1000:1000',
      Env: env,
      Cmd: ['/bin/sh'],
      Labels: Object.fromEntries(given),
    },
  })
}
