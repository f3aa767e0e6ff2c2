import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import type { Platform } from '../../oci/image.ts'
import type { HostOwner } from '../../oci/tar/extract.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import type { Run } from '../../spec/files/run.ts'
import { writeStore } from '../../spec/files/store.ts'
import { EMPTY_LIFECYCLE_METADATA, layersOf } from '../../spec/labels/lifecycle-metadata.ts'
import { escapeId } from '../../spec/names.ts'
import type { Cache } from '../cache/cache.ts'
import { type ImageAccess, inFamily, type PhaseContext } from '../context.ts'
import { inPhase } from './in-phase.ts'
import { restoreImages } from './restore-images.ts'
import { restoreLayers } from './restore-layers.ts'
import { restoreSboms } from './restore-sbom.ts'
import { inStep } from './steps.ts'

/** What `restore` needs to know (platform spec, restorer; cnb-spec §2.4). */
export interface RestoreInputs {
  /** analyzed.toml; absent where there is none, which is no error. */
  readonly analyzed?: Analyzed
  readonly group: Group
  readonly layersDir: ContainerPath
  /** Restores store.toml alone. Default false. */
  readonly skipLayers?: boolean
  /** Unpacks every layer, also one that stands there untouched. Default false. */
  readonly verify?: boolean
  /** run.toml, used from Platform API 0.14 on. */
  readonly run?: Run
  /** The image that the build runs in, for an extender; nothing is kept of it when absent. */
  readonly buildImage?: string
  /** Images are in directories, where nothing extends them. Default false. */
  readonly layout?: boolean
  readonly platform?: Platform
}

export interface Restored {
  /** analyzed.toml with what the restorer adds to it; absent where there was none. */
  readonly analyzed?: Analyzed
}

export type RestoreContext = PhaseContext & {
  readonly images: ImageAccess
  /** Where base images are pulled from for an extender. Default: where all images are. */
  readonly registries?: ImageAccess
  readonly cache?: Cache
  readonly kept?: KeptLayers
}

/** Directories of cached layers as an earlier build left them, where a platform keeps them beside their tars. */
export interface KeptLayers {
  /** Who must own on this machine what is restored, so that nobody has to touch it before the buildpacks write. */
  readonly owner: HostOwner
  /** Puts a layer's directory in its place if it was kept. It counts only where the record says that it is untouched. */
  take(path: ContainerPath): void
}

/**
 * Puts back what the buildpacks of the group left behind in the last build: store.toml, layer metadata, the contents
 * of cached layers and SBOM files (cnb-spec §4.6). Without a cache that is the metadata of launch layers alone; the
 * caller says so to the user. The caller writes `analyzed` back to analyzed.toml.
 * @throws SlipwayError exit 42; `RESTORE_BUILD_IMAGE_INACCESSIBLE`, `RESTORE_RUN_IMAGE_INACCESSIBLE` (exit 1).
 */
export function restore(inputs: RestoreInputs, context: RestoreContext): Promise<Restored> {
  return inPhase(context.emit, 'restore', () => putBack(inputs, context))
}

async function putBack(inputs: RestoreInputs, context: RestoreContext): Promise<Restored> {
  const { emit } = context
  const given = inputs.analyzed
  const analyzed =
    given && (await inStep(emit, 'restore', 'check run image', () => restoreImages(given, inputs, context)))
  await inFamily(EXIT_CODES.restore, 'RESTORE_FAILED', 'restore', async () => {
    const metadata = analyzed?.metadata ?? EMPTY_LIFECYCLE_METADATA
    await inStep(emit, 'restore', 'restore store.toml', () => restoreStores(inputs, metadata, context))
    if (inputs.skipLayers === true) {
      emit({ type: 'info', message: 'Skipping buildpack layer analysis' })
      return
    }
    await restoreLayers(inputs, metadata, context)
    if (!isAtLeast(context.platformApi, '0.8')) return
    await inStep(emit, 'restore', 'restore SBOM', () => restoreSboms(inputs, context))
  })
  return analyzed === undefined ? {} : { analyzed }
}

/** also where layers are skipped. */
function restoreStores(
  { group, layersDir }: RestoreInputs,
  metadata: Analyzed['metadata'],
  { root }: RestoreContext,
): void {
  for (const { id } of group.group) {
    const store = layersOf(metadata, id)?.store
    if (store !== undefined) root.write(joinPath(layersDir, escapeId(id), 'store.toml'), writeStore(store))
  }
}
