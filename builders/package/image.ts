import { type Image, type ImageConfig, MEDIA_TYPES, type Repository } from '../../oci/image.ts'
import type { LayerSource } from '../../oci/layer-source.ts'
import type { Layout } from '../../oci/layout/layout.ts'
import { entriesLayer, type LayerEntry } from '../../oci/tar/walk.ts'
import { addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'
import { LIFECYCLE_APIS } from '../../spec/files/lifecycle-descriptor.ts'
import { writeBuilderMetadata } from '../../spec/labels/builder-metadata.ts'
import { writeLifecycleApis } from '../../spec/labels/lifecycle-apis.ts'
import { LABELS } from '../../spec/labels/names.ts'
import { CREATED } from '../base/image.ts'
import type { Architecture } from '../base/packages.ts'
import { COMPRESSION } from './archive.ts'

const OWNER = { uid: 0, gid: 0 }

/** What the phases expect of a root beside themselves; the base images of others bring it. */
const ROOT: readonly LayerEntry[] = [
  { type: 'directory', name: '/layers', mode: 0o755, ...OWNER },
  { type: 'directory', name: '/tmp', mode: 0o1777, ...OWNER },
]

/**
 * The lifecycle as an image (cnb-spec V-51): no distribution, its own files in the last layer, which is the one that
 * platforms take it out of (lifecycle-behaviour §5.2).
 * @param lifecycle entries from `/cnb` on
 */
export async function writeLifecycleImage(
  layout: Layout,
  lifecycle: LayerSource,
  architecture: Architecture,
  version: string,
): Promise<Image> {
  const repository = layout.repository('')
  const added = async (source: LayerSource, what: string) =>
    addedLayer(await writeLayer(source, repository, { compression: COMPRESSION }), {
      created: CREATED,
      created_by: `slipway: ${what}`,
    })
  return writeImage({
    repository,
    tags: [`${version}-linux-${architecture}`],
    layers: [await added(entriesLayer(ROOT), 'folders'), await added(lifecycle, 'lifecycle')],
    config: imageConfig(architecture, version),
    created: CREATED,
  })
}

function imageConfig(architecture: Architecture, version: string): Omit<ImageConfig, 'rootfs' | 'history'> {
  return {
    architecture,
    ...(architecture === 'arm64' ? { variant: 'v8' } : {}),
    os: 'linux',
    config: {
      Env: ['PATH=/cnb/lifecycle'],
      WorkingDir: '/layers',
      Labels: {
        // From before the two below; platforms read the lifecycle's part of it (V-51).
        [LABELS.builderMetadata]: writeBuilderMetadata({
          description: '',
          buildpacks: [],
          extensions: [],
          stackRunImage: { image: '', mirrors: [] },
          lifecycle: { version, apis: LIFECYCLE_APIS },
          createdBy: { name: 'Slipway', version },
          images: [],
        }),
        [LABELS.lifecycleApis]: writeLifecycleApis(LIFECYCLE_APIS),
        [LABELS.lifecycleVersion]: version,
      },
    },
  }
}

/** One name for all architectures. */
export async function writeLifecycleIndex(
  repository: Repository,
  images: readonly Image[],
  tag: string,
): Promise<void> {
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: images.map(({ mediaType, digest, manifestBytes, config }) => ({
      mediaType,
      size: manifestBytes.length,
      digest,
      platform: {
        architecture: config.architecture,
        os: config.os,
        ...(config.variant === undefined ? {} : { variant: config.variant }),
      },
    })),
  }
  await repository.putManifest(Buffer.from(JSON.stringify(index)), MEDIA_TYPES.ociIndex, [tag])
}
