import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import { errorChain, hintOf, SlipwayError } from '../../core/error.ts'
import type { Image, Platform, Repository } from '../../oci/image.ts'
import { imageLayers } from '../../oci/read-image.ts'
import { repositoryName } from '../../oci/reference.ts'
import { extractLayer } from '../../oci/tar/extract.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed, AnalyzedRunImage } from '../../spec/files/analyzed.ts'
import { NO_RUN_IMAGE, type Run } from '../../spec/files/run.ts'
import { EMPTY_LIFECYCLE_METADATA } from '../../spec/labels/lifecycle-metadata.ts'
import { targetOfImage } from '../../spec/target.ts'
import { type ImageAccess, inFamily, type PhaseContext, REFERENCE_NAMES } from '../context.ts'
import { findImage } from '../images/find.ts'
import { type PreviousImage, readPreviousImage } from '../images/previous-image.ts'
import { type ChosenRunImage, chooseRunImage } from '../images/run-image.ts'
import { together } from './export/side-by-side.ts'
import { inPhase } from './in-phase.ts'
import { inStep } from './steps.ts'

/** What `analyze` needs to know (platform spec, analyzer; cnb-spec §2.2). Names of images are as the user wrote them. */
export interface AnalyzeInputs {
  /** The image to be built. */
  readonly image: string
  /** Further names of it (`-tag`). */
  readonly tags?: readonly string[]
  /** Default: `image`. */
  readonly previousImage?: string
  /** Default: chosen from `run` (cnb-spec §2.12). */
  readonly runImage?: string
  /** run.toml; before Platform API 0.12 the one image of stack.toml. */
  readonly run?: Run
  /** Only its access is checked. */
  readonly cacheImage?: string
  readonly layersDir: ContainerPath
  /** Leaves the SBOM of the previous image where it is. Default false. */
  readonly skipLayers?: boolean
  /** What to take of a run image for several platforms. Default: this machine's. */
  readonly platform?: Platform
}

type AnalyzeContext = PhaseContext & {
  readonly images: ImageAccess
  /** Where the cache image is. Default: where the others are. */
  readonly cacheImages?: ImageAccess
}

/**
 * Reads what is known of the previous image and finds the run image (platform spec, analyzer). A previous image that is
 * missing or broken is none. The caller writes the value to analyzed.toml.
 * @throws SlipwayError `ANALYZE_ACCESS_DENIED`, `ANALYZE_REGISTRY_UNREACHABLE` and others (exit 32), `ANALYZE_RUN_IMAGE_UNNAMED`,
 * `ANALYZE_RUN_IMAGE_INACCESSIBLE` and invalid names (exit 3).
 */
export function analyze(inputs: AnalyzeInputs, context: AnalyzeContext): Promise<Analyzed> {
  return inPhase(context.emit, 'analyze', () =>
    inFamily(EXIT_CODES.analyze, 'ANALYZE_FAILED', 'analyze', () => read(inputs, context)),
  )
}

async function read(inputs: AnalyzeInputs, context: AnalyzeContext): Promise<Analyzed> {
  const { emit } = context
  // Side by side, for each waits for a registry; the first failure in this order is the one reported.
  const [run, , previous] = await together([
    inStep(emit, 'analyze', 'read run image', () => findRunImage(inputs, context)),
    inStep(emit, 'analyze', 'check write access', () => checkWriteAccess(inputs, context)),
    inStep(emit, 'analyze', 'read previous image', () =>
      readable(inputs.previousImage ?? inputs.image, (name) =>
        readPreviousImage(context.images, name, inputs.platform),
      ),
    ),
  ])
  const metadata = previous.kind === 'found' ? previous.metadata : EMPTY_LIFECYCLE_METADATA
  reportPrevious(inputs, previous, context)
  const sbom = metadata.sbom?.sha ?? ''
  if (previous.kind === 'found' && sbom !== '' && inputs.skipLayers !== true) {
    const { image } = previous.found
    await inStep(emit, 'analyze', 'restore SBOM', () => restoreSbom(image, sbom, inputs.layersDir, context))
  }
  return {
    ...(previous.kind === 'found' ? { previousImage: { reference: previous.found.digestName } } : {}),
    runImage: describeRunImage(run, context),
    metadata,
  }
}

async function findRunImage(inputs: AnalyzeInputs, { images }: AnalyzeContext): Promise<ChosenRunImage> {
  const given = inputs.runImage
  if (given === undefined) {
    const candidates = inputs.run?.images[0] ?? NO_RUN_IMAGE
    return chooseRunImage(
      images,
      candidates,
      (images.naming ?? REFERENCE_NAMES).parse(inputs.image),
      inputs.platform,
    )
  }
  const found = await readable(given, (name) => findImage(images, name, inputs.platform))
  return { name: given, ...(found === undefined ? {} : { found }) }
}

/** Once for each repository: two tags of one repository are not two answers. */
async function checkWriteAccess(inputs: AnalyzeInputs, context: AnalyzeContext): Promise<void> {
  const { images, cacheImages = images } = context
  const repositories = new Map<string, Repository>()
  const add = (access: ImageAccess, name: string) => {
    const reference = (access.naming ?? REFERENCE_NAMES).parse(name)
    repositories.set(repositoryName(reference), access.repository(reference))
  }
  // Only registries have access to check. A directory of layouts is the exporter's to write: here it may be another
  // user's, or mounted to be read.
  if (images.naming === undefined)
    for (const name of [inputs.image, ...(inputs.tags ?? [])]) add(images, name)
  if (inputs.cacheImage !== undefined) add(cacheImages, inputs.cacheImage)
  await together(
    [...repositories].map(async ([name, repository]) => {
      try {
        await repository.verifyAccess('write')
      } catch (error) {
        throw denied('write', name, error)
      }
    }),
  )
}

/** Reads an image; that it cannot be reached is a failure of access. */
async function readable<T>(name: string, read: (name: string) => Promise<T>): Promise<T> {
  try {
    return await read(name)
  } catch (error) {
    const isAccess = error instanceof SlipwayError && /^(?:OCI_ACCESS|OCI_AUTH|HTTP_)/.test(error.code)
    throw isAccess ? denied('read', name, error) : error
  }
}

const NAME_OR_CREDENTIALS =
  'Check the name and the credentials for its registry (docker login, or CNB_REGISTRY_AUTH).'

function denied(use: 'read' | 'write', name: string, cause: unknown): SlipwayError {
  const rights = use === 'read' ? 'read' : 'read/write'
  const isAnswered = !(cause instanceof SlipwayError && cause.code.startsWith('HTTP_'))
  return new SlipwayError(
    isAnswered ? 'ANALYZE_ACCESS_DENIED' : 'ANALYZE_REGISTRY_UNREACHABLE',
    `validating registry ${use} access: ensure registry ${rights} access to ${name}: ${errorChain(cause)}`,
    {
      subject: name,
      hint: hintOf(cause) ?? NAME_OR_CREDENTIALS,
      class: 'infrastructure',
      exitCode: EXIT_CODES.analyze,
      cause,
    },
  )
}

function reportPrevious(inputs: AnalyzeInputs, previous: PreviousImage, { emit }: AnalyzeContext): void {
  const reference = inputs.previousImage ?? inputs.image
  if (previous.kind === 'corrupt') emit({ type: 'previous-image-corrupt', reference })
  else emit({ type: 'previous-image', reference, found: previous.kind === 'found' })
}

function describeRunImage({ name, found }: ChosenRunImage, context: AnalyzeContext): AnalyzedRunImage {
  if (found === undefined)
    context.emit({ type: 'info', message: `Image with name ${JSON.stringify(name)} not found` })
  const reference = found === undefined ? '' : found.digestName
  if (!isAtLeast(context.platformApi, '0.12')) return { reference, extend: false }
  if (found === undefined) return { reference, image: name, extend: false }
  const target = targetOfImage(found.image.config)
  if (target.os === '') {
    throw new SlipwayError('ANALYZE_RUN_IMAGE_INVALID', 'failed to find OS in run image config', {
      subject: name,
      hint: 'The configuration of a base image names its operating system and architecture.',
      class: 'user',
    })
  }
  return { reference, image: name, extend: false, target }
}

/**
 * Puts the launch SBOM of the previous image back into `<layers>/sbom`, from where the restorer takes it. It is
 * of use, not of need: where it is broken the build goes on without it.
 */
async function restoreSbom(
  image: Image,
  sha: string,
  layersDir: ContainerPath,
  { root, emit, platformApi }: AnalyzeContext,
): Promise<void> {
  if (!isAtLeast(platformApi, '0.8')) return
  const layer = imageLayers(image).find(({ diffId }) => diffId === sha)
  const directory = joinPath(layersDir, 'sbom')
  try {
    if (layer === undefined) throw new SlipwayError('ANALYZE_SBOM_MISSING', `the image has no layer ${sha}`)
    emit({ type: 'sbom-restored', from: 'previous image' })
    await extractLayer(layer.open(), root, { within: [directory] })
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    root.remove(directory)
    emit({ type: 'warning', message: `Not restoring the SBOM of the previous image: ${errorChain(error)}` })
  }
}
