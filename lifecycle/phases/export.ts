import type { ContainerPath } from '../../core/container-path.ts'
import { copyBlob, eachBlob } from '../../oci/copy.ts'
import { type Image, type ImageConfig, MEDIA_TYPES, type Platform, type Repository } from '../../oci/image.ts'
import type { Compression } from '../../oci/layer-source.ts'
import type { AddedLayer } from '../../oci/write-image.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import type { BuildMetadata } from '../../spec/files/metadata.ts'
import type { ProjectMetadata } from '../../spec/files/project-metadata.ts'
import type { Report } from '../../spec/files/report.ts'
import type { Run } from '../../spec/files/run.ts'
import { optional } from '../../spec/files/source.ts'
import { nameOfFile } from '../../spec/names.ts'
import type { Cache } from '../cache/cache.ts'
import { type ImageAccess, inFamily, type PhaseContext } from '../context.ts'
import type { ExtendedImage } from '../images/extended-image.ts'
import type { FoundImage } from '../images/find.ts'
import { runImageMirrors } from '../images/run-image.ts'
import { legacyBom } from './export/bom.ts'
import { CacheFill } from './export/cache-fill.ts'
import { appConfig, createdTime } from './export/config.ts'
import { copyLauncherSboms, type Launcher } from './export/launcher.ts'
import { layersByDiffId, type MadeLayer, makeLayer } from './export/make-layer.ts'
import { cacheMetadata, imageLabels, lifecycleMetadata } from './export/metadata.ts'
import { openExtendedImage, openPreviousImage, openRunImage, readMetadata } from './export/open.ts'
import { type ExportPlan, planLayers } from './export/plan.ts'
import { defaultProcess } from './export/process.ts'
import { type Recall, recall } from './export/recall.ts'
import {
  nameOf,
  requireSaved,
  type SavedImage,
  savedEvent,
  savedReport,
  saveImage,
  targetsOf,
} from './export/save.ts'
import { inOrder, sideBySide, together } from './export/side-by-side.ts'
import { inPhase } from './in-phase.ts'
import { inStep } from './steps.ts'

/** What `exportImage` needs to know (platform spec, exporter; cnb-spec §2.7). */
export interface ExportInputs {
  /** Names of the new image as the user wrote them, the first is the primary one. */
  readonly images: readonly [string, ...string[]]
  readonly analyzed: Analyzed
  readonly group: Group
  /** run.toml; before Platform API 0.12 the one image of stack.toml. For the mirrors in the metadata label. */
  readonly run?: Run
  readonly project?: ProjectMetadata
  readonly appDir: ContainerPath
  readonly layersDir: ContainerPath
  /** Where an extender leaves the extended run image. Default: `<layers>/extended`. */
  readonly extendedDir?: ContainerPath
  /** Who owns the files in the layers, whoever runs the phase: the builder image's CNB_USER_ID and CNB_GROUP_ID. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** `-process-type`. Default: the buildpacks' default process. */
  readonly processType?: string
  /** CNB_EXEC_ENV. */
  readonly execEnv?: string
  readonly launcher: Launcher
  /** SOURCE_DATE_EPOCH as it stands in the environment; what is no integer is ignored with a warning. */
  readonly sourceDateEpoch?: string
  /** Reads every layer, also one that nobody touched since the last build. Default false. */
  readonly verify?: boolean
  /** Default: gzip level 1. */
  readonly compression?: Compression
  /** What to take of a run image for several platforms. Default: this machine's. */
  readonly platform?: Platform
}

export type ExportContext = PhaseContext & { readonly images: ImageAccess; readonly cache?: Cache }

/**
 * Makes the image of a build, and then the cache, from what the buildpacks left in the layers and app directories
 * (cnb-spec §5). What has not changed since the previous image is not sent again. A cache that cannot be written is an
 * event, not a failure. The caller writes the value to report.toml.
 * @throws SlipwayError exit 62; `EXPORT_RUN_IMAGE_UNKNOWN` and invalid names exit 3.
 */
export function exportImage(inputs: ExportInputs, context: ExportContext): Promise<Report> {
  return inPhase(context.emit, 'export', () =>
    inFamily(EXIT_CODES.export, 'EXPORT_FAILED', 'export', () => make(inputs, context)),
  )
}

async function make(inputs: ExportInputs, context: ExportContext): Promise<Report> {
  const { root, emit, platformApi } = context
  const targets = targetsOf(context.images, inputs.images)
  const time = createdTime(inputs.sourceDateEpoch, platformApi)
  if (time.isInvalid) emit({ type: 'warning', message: 'Ignoring invalid SOURCE_DATE_EPOCH' })
  const { run, extended, previous } = await inStep(emit, 'export', 'read images', async () => {
    const base = await openRunImage(inputs, context)
    return {
      run: base,
      extended: await openExtendedImage(inputs, base, context),
      previous: await openPreviousImage(inputs, context, nameOf(targets)),
    }
  })
  const metadata = readMetadata(inputs, context)
  if (isAtLeast(platformApi, '0.11')) copyLauncherSboms(root, inputs.layersDir, inputs.launcher, emit)
  const entry = defaultProcess(metadata, inputs.processType)

  await using cache = context.cache && (await CacheFill.begin(context.cache, emit))
  const plan = await inStep(emit, 'export', 'plan layers', () =>
    planLayers(
      {
        ...inputs,
        group: inputs.group.group,
        metadata,
        previous: inputs.analyzed.metadata,
        extensionLayers: extended?.layers ?? [],
        ...optional('cached', cache?.committed),
      },
      context,
    ),
  )
  const known = recall(context, inputs.verify ?? false)
  const { repository } = targets[0]
  const [made] = await together([
    inStep(emit, 'export', 'make layers', () =>
      makeLayers(plan, inputs, { repository, previous: previous?.image, cache, recall: known }, context),
    ),
    inStep(emit, 'export', 'carry base layers', () => carryBase(run.image, repository)),
  ])

  const labels = labelsOf(plan, made, run, metadata, inputs, context)
  for (const { key } of labels) emit({ type: 'label-added', key })
  emit({ type: 'default-process', process: entry.type })
  emit({ type: 'image-saving', name: nameOf(targets) })
  const layers = layersOf(made, context)
  const draft = {
    base: baseOf(run.image, context),
    layers,
    config: appConfig(configOf(run.image, extended), {
      platformApi,
      layersDir: nameOfFile(inputs.layersDir),
      appDir: nameOfFile(inputs.appDir),
      entrypoint: entry.entrypoint,
      labels,
      created: time.created,
    }),
    created: time.created,
    // Docker's types have none for zstd.
    ...(layers.some(isZstd) ? ({ mediaTypes: 'oci' } as const) : {}),
    // They are there by now.
    sparse: true,
  }
  const saved = await inStep(emit, 'export', 'save image', () => saveImage(draft, targets, context.images))
  emit(savedEvent(saved))
  // A cache beside an image that was not saved would be of no use to the next build.
  requireSaved(saved)
  await inStep(emit, 'export', 'write cache', async () => {
    await fillCache(cache, made, inputs, context)
    known.keep()
  })
  return reportOf(saved, inputs, context)
}

/** The run image's layers where the image will be: by a mount, or by their bytes, beside the work on the new ones. */
async function carryBase(image: Image, repository: Repository): Promise<void> {
  // What is kept elsewhere by its address (a foreign layer) stays there.
  const layers = image.manifest.layers.filter(({ urls }) => urls === undefined || urls.length === 0)
  await eachBlob(layers, (layer) => copyBlob(layer, image.repository, repository))
}

async function makeLayers(
  plan: ExportPlan,
  inputs: ExportInputs,
  stores: {
    readonly repository: Repository
    readonly previous: Image | undefined
    readonly cache: CacheFill | undefined
    readonly recall: Recall
  },
  { emit }: ExportContext,
): Promise<readonly MadeLayer[]> {
  const where = {
    repository: stores.repository,
    previous: layersByDiffId(stores.previous),
    recall: stores.recall,
    ...(stores.cache === undefined ? {} : { cache: stores.cache }),
    compression: inputs.compression ?? { kind: 'gzip', level: 1 },
  } as const
  const report = inOrder(({ plan, image, diffId, size, milliseconds }: MadeLayer) => {
    if (image === undefined) return
    const { kind } = plan.part
    const { outcome, layer } = image
    emit({
      type: 'layer-exported',
      layer: plan.id,
      kind,
      outcome,
      diffId,
      ...(size === undefined ? {} : { size }),
      compressedSize: layer.descriptor.size,
      milliseconds,
    })
  })
  return sideBySide(plan.layers, async (layer, index) => {
    const made = await makeLayer(layer, where)
    report(index, made)
    return made
  })
}

/** What runs is what extensions made of the run image; what it runs on is the run image's (cnb-spec CF-5, IX-56). */
function configOf({ config }: Image, extended: ExtendedImage | undefined): ImageConfig {
  if (extended === undefined) return config
  const { config: _container, ...machine } = config
  return { ...machine, ...optional('config', extended.image.config.config) }
}

function labelsOf(
  plan: ExportPlan,
  made: readonly MadeLayer[],
  run: FoundImage,
  metadata: BuildMetadata,
  inputs: ExportInputs,
  { platformApi }: ExportContext,
) {
  const image = inputs.analyzed.runImage?.image ?? ''
  // stack.toml before Platform API 0.12 has one image, whatever extensions chose.
  const mayBeUnlisted = isAtLeast(platformApi, '0.12') && metadata.extensions.length > 0
  const facts = {
    topLayer: run.image.config.rootfs.diff_ids.at(-1) ?? '',
    reference: run.digestName,
    mirrors: runImageMirrors(inputs.run ?? { images: [] }, image, mayBeUnlisted),
  }
  return imageLabels({
    lifecycle: lifecycleMetadata(inputs.group.group, made, plan.stores, facts, platformApi),
    build: metadata,
    launcher: inputs.launcher.metadata,
    project: inputs.project ?? {},
    execEnv: inputs.execEnv ?? '',
    platformApi,
  })
}

/** Before Platform API 0.12 the history says nothing but a time (cnb-spec EX-3). */
function hasHistory({ platformApi }: ExportContext): boolean {
  return isAtLeast(platformApi, '0.12')
}

function baseOf(image: Image, context: ExportContext): Image {
  return hasHistory(context) ? image : { ...image, config: { ...image.config, history: [] } }
}

function layersOf(made: readonly MadeLayer[], context: ExportContext): AddedLayer[] {
  return made.flatMap(({ image }) => {
    if (image === undefined) return []
    return [hasHistory(context) ? image.layer : { ...image.layer, history: {} }]
  })
}

function isZstd({ descriptor }: AddedLayer): boolean {
  return descriptor.mediaType === MEDIA_TYPES.ociLayerZstd
}

async function fillCache(
  cache: CacheFill | undefined,
  made: readonly MadeLayer[],
  { group }: ExportInputs,
  { emit }: ExportContext,
): Promise<void> {
  if (cache === undefined || !(await cache.commit(cacheMetadata(group.group, made)))) return
  for (const { plan, cache: outcome, diffId } of inCacheOrder(made, group.group)) {
    if (outcome !== undefined) emit({ type: 'cache-layer', layer: plan.id, outcome, diffId })
  }
}

/** By buildpack and name, as the reference tells of them; those for the image come first in what was made. */
function inCacheOrder(
  made: readonly MadeLayer[],
  group: ExportInputs['group']['group'],
): readonly MadeLayer[] {
  const place = ({ plan: { part } }: MadeLayer) =>
    part.kind === 'buildpack' ? group.findIndex(({ id }) => id === part.buildpack.id) : group.length
  return made.toSorted((a, b) => place(a) - place(b) || (a.plan.id < b.plan.id ? -1 : 1))
}

function reportOf(saved: SavedImage, inputs: ExportInputs, context: ExportContext): Report {
  return { image: savedReport(saved), ...legacyBom(inputs, context) }
}
