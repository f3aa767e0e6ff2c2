import { type ApiVersion, isAtLeast } from '../../../spec/api-version.ts'
import type { GroupElement } from '../../../spec/files/group.ts'
import type { Label } from '../../../spec/files/launch.ts'
import type { BuildMetadata } from '../../../spec/files/metadata.ts'
import type { ProjectMetadata } from '../../../spec/files/project-metadata.ts'
import { NO_RUN_IMAGE, type RunImageMirrors } from '../../../spec/files/run.ts'
import { optional } from '../../../spec/files/source.ts'
import type { Store } from '../../../spec/files/store.ts'
import { type LauncherMetadata, writeBuildLabel } from '../../../spec/labels/build-metadata.ts'
import type { CacheMetadata } from '../../../spec/labels/cache-metadata.ts'
import {
  type BuildpackLayers,
  type LayerEntry,
  type LayerSha,
  type LifecycleMetadata,
  writeLifecycleMetadata,
} from '../../../spec/labels/lifecycle-metadata.ts'
import { LABELS } from '../../../spec/labels/names.ts'
import { writeProjectLabel } from '../../../spec/labels/project-metadata.ts'
import type { LayerName } from '../../../spec/names.ts'
import type { MadeLayer } from './make-layer.ts'
import type { LayerKind } from './plan.ts'

/** What is known of the run image beside its layers. */
export interface RunImageFacts {
  /** diffID of its last layer. */
  readonly topLayer: string
  /** Its name with the digest of its manifest. */
  readonly reference: string
  readonly mirrors: RunImageMirrors
}

/** The metadata that the next build, a rebase and an inspection read from the image (cnb-spec §5.6). */
export function lifecycleMetadata(
  group: readonly GroupElement[],
  made: readonly MadeLayer[],
  stores: ReadonlyMap<string, Store>,
  run: RunImageFacts,
  platformApi: ApiVersion,
): LifecycleMetadata {
  const inImage = made.filter(({ image }) => image !== undefined)
  const only = (kind: LayerKind): LayerSha => ({
    sha: inImage.find(({ plan }) => plan.part.kind === kind)?.diffId ?? '',
  })
  const sbom = only('sbom')
  const mirrors = isAtLeast(platformApi, '0.12') ? run.mirrors : NO_RUN_IMAGE
  return {
    app: inImage.filter(({ plan }) => plan.part.kind === 'app').map(({ diffId }) => ({ sha: diffId })),
    ...optional('sbom', sbom.sha === '' ? undefined : sbom),
    buildpacks: group.map((buildpack) => ({
      ...layersOf(buildpack, inImage),
      ...optional('store', stores.get(buildpack.id)),
    })),
    config: only('config'),
    launcher: only('launcher'),
    processTypes: only('process-types'),
    runImage: { topLayer: run.topLayer, reference: run.reference, ...mirrors },
    stack: { runImage: run.mirrors },
  }
}

/** The metadata of what came to be in the cache (cnb-spec CA-2). */
export function cacheMetadata(group: readonly GroupElement[], made: readonly MadeLayer[]): CacheMetadata {
  const inCache = made.filter(({ cache }) => cache !== undefined)
  return {
    sbom: { sha: inCache.find(({ plan }) => plan.part.kind === 'sbom')?.diffId ?? '' },
    buildpacks: group.map((buildpack) => layersOf(buildpack, inCache)),
  }
}

function layersOf(buildpack: GroupElement, made: readonly MadeLayer[]): BuildpackLayers {
  const layers = new Map<LayerName, LayerEntry>()
  for (const { plan, diffId } of made) {
    const { part } = plan
    if (part.kind === 'buildpack' && part.buildpack.id === buildpack.id) {
      layers.set(part.name, { ...part.content, sha: diffId })
    }
  }
  return { id: buildpack.id, version: buildpack.version, layers }
}

/** The labels of the image in the order in which they are set (cnb-spec LA-1, LA-4): a buildpack may overwrite the first three. */
export function imageLabels(parts: {
  readonly lifecycle: LifecycleMetadata
  readonly build: BuildMetadata
  readonly launcher: LauncherMetadata
  readonly project: ProjectMetadata
  readonly execEnv: string
  readonly platformApi: ApiVersion
}): Label[] {
  const { platformApi, launcher, execEnv } = parts
  return [
    { key: LABELS.lifecycleMetadata, value: writeLifecycleMetadata(parts.lifecycle) },
    { key: LABELS.buildMetadata, value: writeBuildLabel(parts.build, { platformApi, launcher }) },
    { key: LABELS.projectMetadata, value: writeProjectLabel(parts.project) },
    ...parts.build.labels,
    ...(execEnv !== '' && isAtLeast(platformApi, '0.15') ? [{ key: LABELS.execEnv, value: execEnv }] : []),
  ]
}
