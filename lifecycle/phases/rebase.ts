import { SlipwayError } from '../../core/error.ts'
import type { Image, ImageConfig, Platform, Repository } from '../../oci/image.ts'
import { MEDIA_TYPES } from '../../oci/image.ts'
import { imageLayers } from '../../oci/read-image.ts'
import { type AddedLayer, familyOf, type ImageDraft } from '../../oci/write-image.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Report } from '../../spec/files/report.ts'
import { type LifecycleMetadata, parseLifecycleMetadata } from '../../spec/labels/lifecycle-metadata.ts'
import { LABELS } from '../../spec/labels/names.ts'
import { runImageOfMetadata } from '../../spec/run-image.ts'
import { type ImageAccess, inFamily, type PhaseContext } from '../context.ts'
import { type FoundImage, findImage } from '../images/find.ts'
import { chooseRunImage } from '../images/run-image.ts'
import { createdTime } from './export/config.ts'
import {
  nameOf,
  requireSaved,
  savedEvent,
  savedReport,
  saveImage,
  type Target,
  targetsOf,
} from './export/save.ts'
import { inPhase } from './in-phase.ts'
import { checkRebase } from './rebase/checks.ts'
import { rebasedLabels, rebasedMetadata } from './rebase/metadata.ts'
import { inStep } from './steps.ts'

/** What `rebase` needs to know (platform spec, rebaser; cnb-spec §2.9). Names of images are as the user wrote them. */
export interface RebaseInputs {
  /** Names that the rebased image gets; all in one registry. */
  readonly images: readonly [string, ...string[]]
  /** The image to be rebased. It stays as it is unless it is one of `images` too. Default: the first of them. */
  readonly previousImage?: string
  /** Default: the run image or the mirror that the app's metadata names. */
  readonly runImage?: string
  /** Turns a broken target rule into a warning. Default false. */
  readonly force?: boolean
}

type RebaseContext = Omit<PhaseContext, 'root'> & { readonly images: ImageAccess }

export interface Rebased {
  /** For report.toml. */
  readonly report: Report
  readonly previous: Image
  readonly image: Image
  /** The name of the run image that it stands on now. */
  readonly runImage: string
  /** How many layers went, came in their place, and stayed above them. */
  readonly layers: { readonly removed: number; readonly base: number; readonly kept: number }
}

/**
 * Puts an app image on another run image, or a newer one, by exchanging the layers below its own (cnb-spec §6). No layer is
 * read: within one registry or layout those of the run image are mounted, from elsewhere they are copied.
 * @throws SlipwayError exit 72: `REBASE_IMAGE_MISSING`, `REBASE_BASE_UNKNOWN`, `REBASE_…` of the checks, and where the
 * image cannot be saved; exit 3 for invalid names; exit 1: `REBASE_RUN_IMAGE_MISSING`.
 */
export function rebase(inputs: RebaseInputs, context: RebaseContext): Promise<Rebased> {
  const inRebase = <T>(work: () => Promise<T>) => inFamily(EXIT_CODES.rebase, 'REBASE_FAILED', 'rebase', work)
  return inPhase(context.emit, 'rebase', async () => {
    const { emit } = context
    const app = await inRebase(() => inStep(emit, 'rebase', 'read image', () => findApp(inputs, context)))
    const base = await inStep(emit, 'rebase', 'read run image', () => findBase(inputs, app, context))
    return inRebase(() => exchange(inputs, { ...app, base }, context))
  })
}

interface App {
  readonly targets: readonly [Target, ...Target[]]
  readonly app: FoundImage
  readonly metadata: LifecycleMetadata
}

async function findApp(inputs: RebaseInputs, { images }: RebaseContext): Promise<App> {
  const [first] = inputs.images
  const targets = targetsOf(images, inputs.images)
  const stranger = targets.find(({ repository }) => repository.origin !== targets[0].repository.origin)
  if (stranger !== undefined) {
    throw new SlipwayError('REBASE_REGISTRIES', 'writing to multiple registries is unsupported', {
      subject: nameOf([stranger]),
      hint: `Name images in the registry of ${first} alone.`,
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    })
  }
  const name = inputs.previousImage ?? first
  const app = await findImage(images, name)
  if (app === undefined) {
    throw new SlipwayError(
      'REBASE_IMAGE_MISSING',
      `failed to access image to rebase: there is no image ${name}`,
      {
        subject: name,
        hint: 'Check the name and the credentials for its registry.',
        class: 'user',
      },
    )
  }
  const label = app.image.config.config?.Labels?.[LABELS.lifecycleMetadata] ?? '{}'
  return {
    targets,
    app,
    metadata: parseLifecycleMetadata(label, { file: `label ${LABELS.lifecycleMetadata}` }),
  }
}

/** RB-2 */
async function findBase(
  inputs: RebaseInputs,
  { app, metadata }: App,
  { images, platformApi }: RebaseContext,
): Promise<FoundImage> {
  const platform = platformOf(app.image.config)
  const candidates =
    inputs.runImage === undefined
      ? runImageOfMetadata(metadata, platformApi)
      : { image: inputs.runImage, mirrors: [] }
  if (candidates === undefined) {
    throw new SlipwayError(
      'REBASE_RUN_IMAGE_UNNAMED',
      '-run-image is required when there is no run image metadata available',
      {
        subject: app.name,
        hint: 'Name the run image with -run-image.',
        class: 'usage',
        exitCode: EXIT_CODES.rebase,
      },
    )
  }
  const { name, found } = await chooseRunImage(images, candidates, app.reference, platform).catch(
    (error: unknown) => {
      // Here it is the app's label that names them, no argument.
      throw error instanceof SlipwayError ? error.withExitCode(EXIT_CODES.rebase) : error
    },
  )
  if (found !== undefined) return found
  throw new SlipwayError('REBASE_RUN_IMAGE_MISSING', `there is no image ${name}`, {
    subject: name,
    hint: 'Check its name, or name another one with -run-image.',
    class: 'user',
  })
}

function platformOf({ os, architecture, variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) }
}

async function exchange(
  { force = false }: RebaseInputs,
  { targets, app, metadata, base }: App & { readonly base: FoundImage },
  { emit, platformApi, images }: RebaseContext,
): Promise<Rebased> {
  const { config } = app.image
  const takesPlatform = checkRebase({ app: config, base: base.image.config }, force, emit)
  const above = layersAbove(app.image, metadata.runImage.topLayer)
  const next = rebasedMetadata(metadata, base, { force, platformApi, emit })
  emit({ type: 'image-saving', name: nameOf(targets) })
  const draft = {
    // As the reference, a rebased image has no history but the times.
    base: { ...base.image, config: { ...base.image.config, history: [] } },
    layers: above.map((layer) => withoutCopy(layer, targets[0].repository)),
    config: {
      ...rebasedConfig(config, takesPlatform ? base.image.config : config),
      config: { ...config.config, Labels: rebasedLabels(config, base.image.config, next, platformApi) },
    },
    created: createdTime(undefined, platformApi).created,
    mediaTypes: [...base.image.manifest.layers, ...above.map(({ descriptor }) => descriptor)].some(
      ({ mediaType }) => mediaType === MEDIA_TYPES.ociLayerZstd,
    )
      ? ('oci' as const) // Docker's types have none for zstd.
      : familyOf(app.image),
  }
  const saved = await inStep(emit, 'rebase', 'save image', () => saveImage(draft, targets, images))
  emit(savedEvent(saved))
  requireSaved(saved)
  const kept = above.length
  return {
    report: { image: savedReport(saved) },
    previous: app.image,
    image: saved.image,
    runImage: base.name,
    layers: {
      removed: app.image.manifest.layers.length - kept,
      base: base.image.manifest.layers.length,
      kept,
    },
  }
}

/**
 * The app's own layers (RB-3). Of equal layers the highest one counts: a base image may hold an empty layer twice, an app
 * does not repeat its base's.
 */
function layersAbove(app: Image, topLayer: string): readonly AddedLayer[] {
  const layers = imageLayers(app)
  const top = layers.findLastIndex(({ diffId }) => diffId === topLayer)
  if (top >= 0)
    return layers
      .slice(top + 1)
      .map(({ descriptor, diffId, repository }) => ({ descriptor, diffId, repository }))
  throw new SlipwayError(
    'REBASE_BASE_UNKNOWN',
    topLayer === ''
      ? `the image does not say where its run image ends: label ${LABELS.lifecycleMetadata} names no top layer`
      : `the image does not have the layer ${topLayer}, with which its run image ends by label ${LABELS.lifecycleMetadata}`,
    {
      subject: app.repository.name,
      hint: 'Only an image that was built by buildpacks can be rebased; build it again.',
      class: 'user',
    },
  )
}

/** A layer of the image's own repository need not be looked for there. */
function withoutCopy(layer: AddedLayer, target: Repository): AddedLayer {
  const { repository, ...own } = layer
  return repository?.name === target.name && repository.origin === target.origin ? own : layer
}

/** The app's configuration (RB-9), on the platform of `platform`. */
function rebasedConfig(app: ImageConfig, platform: ImageConfig): Omit<ImageDraft['config'], 'config'> {
  const { rootfs: _, history: __, variant: ___, 'os.version': ____, ...kept } = app
  const { os, architecture, variant, 'os.version': version } = platform
  return {
    ...kept,
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
  }
}
