import { type ContainerPath, containerPath, joinPath } from '../../core/container-path.ts'
import { type ErrorCode, errorChain, SlipwayError } from '../../core/error.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import type { Analyzed, AnalyzedRunImage } from '../../spec/files/analyzed.ts'
import { targetOfImage } from '../../spec/target.ts'
import type { ImageAccess } from '../context.ts'
import { type FoundImage, findImage } from '../images/find.ts'
import { names } from '../images/run-image.ts'
import { writeSparseLayout } from '../images/sparse-layout.ts'
import type { RestoreContext, RestoreInputs } from './restore.ts'

/** Where an extender finds what it needs to know of base images (cnb-spec IX-42). */
export const KANIKO_DIR: ContainerPath = containerPath('/kaniko')

/**
 * What the restorer does for the phases after it about base images (cnb-spec §8.5): the build image's manifest for an
 * extender, the run image's too where extensions add to it, and what is not yet known of a run image that an extension
 * chose.
 * @throws SlipwayError `RESTORE_BUILD_IMAGE_INACCESSIBLE`, `RESTORE_RUN_IMAGE_INACCESSIBLE`, `RESTORE_KANIKO_UNWRITABLE`
 * (exit 1)
 */
export async function restoreImages(
  analyzed: Analyzed,
  inputs: RestoreInputs,
  context: RestoreContext,
): Promise<Analyzed> {
  const withBuildImage = await addBuildImage(analyzed, inputs, context)
  const { runImage } = withBuildImage
  if (runImage === undefined) return withBuildImage
  return { ...withBuildImage, runImage: await completeRunImage(runImage, inputs, context) }
}

/** whatever extensions there are. */
async function addBuildImage(
  analyzed: Analyzed,
  { buildImage = '', platform }: RestoreInputs,
  context: RestoreContext,
): Promise<Analyzed> {
  if (buildImage === '' || !isAtLeast(context.platformApi, '0.10')) return analyzed
  const found = await mustFind(registries(context), buildImage, platform, {
    code: 'RESTORE_BUILD_IMAGE_INACCESSIBLE',
    message: `pull builder image ${buildImage}`,
    hint: 'Check its name and the credentials for its registry.',
  })
  keepForExtender(found, context)
  return { ...analyzed, buildImage: { reference: found.digestName } }
}

/**
 * IX-41: a run image that extensions add to is kept for the extender; from Platform API 0.14 on a chosen one
 * must still be there to read; what the analyzer could not know of it is filled in.
 */
async function completeRunImage(
  runImage: AnalyzedRunImage,
  inputs: RestoreInputs,
  context: RestoreContext,
): Promise<AnalyzedRunImage> {
  const { images, platformApi } = context
  const { image = '', reference } = runImage
  const hasTargets = isAtLeast(platformApi, '0.12')
  const isExtended = hasTargets && runImage.extend && inputs.layout !== true
  const isKnown = hasTargets ? (runImage.target?.os ?? '') !== '' : !mayBeSwitched(inputs, context)
  const mustBeThere = isAtLeast(platformApi, '0.14') && isListed(runImage, inputs)
  if (image === '' || (isKnown && !isExtended && !mustBeThere)) return runImage
  const found = await mustFind(
    isExtended ? registries(context) : images,
    isExtended ? pullableName(runImage, context) : reference || image,
    inputs.platform,
    {
      code: 'RESTORE_RUN_IMAGE_INACCESSIBLE',
      message: `selected run image '${image}' is not accessible`,
      hint: 'Check that it was not removed since the build began, and the credentials for its registry.',
    },
  )
  if (isExtended) keepForExtender(found, context)
  else if (isKnown) return runImage
  const { target: _outdated, ...known } = runImage
  return {
    ...known,
    reference: found.digestName,
    ...(hasTargets ? { target: targetOfImage(found.image.config) } : {}),
  }
}

/** Before Platform API 0.12 nothing says whether an extension has chosen the run image: its digest is looked up again. */
function mayBeSwitched({ group }: RestoreInputs, { platformApi }: RestoreContext): boolean {
  return isAtLeast(platformApi, '0.10') && group.groupExtensions.length > 0
}

function isListed({ image = '' }: AnalyzedRunImage, { run }: RestoreInputs): boolean {
  return run?.images.some((entry) => names(entry, image)) ?? false
}

/** Gives an image that must be there to be read. @throws SlipwayError as `failure` says, with the reason behind it */
async function mustFind(
  images: ImageAccess,
  name: string,
  platform: RestoreInputs['platform'],
  failure: { readonly code: ErrorCode; readonly message: string; readonly hint: string },
): Promise<FoundImage> {
  const failed = (reason: string, cause?: unknown) =>
    new SlipwayError(failure.code, `${failure.message}: ${reason}`, {
      subject: name,
      hint: failure.hint,
      class: 'infrastructure',
      cause,
    })
  let found: FoundImage | undefined
  try {
    found = await findImage(images, name, platform)
  } catch (error) {
    throw error instanceof SlipwayError ? failed(errorChain(error), error) : error
  }
  if (found === undefined) throw failed(`there is no ${name}`)
  return found
}

/** A reference by digest is the very image that was analyzed; a daemon's means nothing to a registry. */
function pullableName({ reference, image = '' }: AnalyzedRunImage, context: RestoreContext): string {
  return registries(context) === context.images && reference !== '' ? reference : image
}

/** What an extender works on is in a registry, wherever the other images are. */
function registries({ images, registries: own = images }: RestoreContext): ImageAccess {
  return own
}

function keepForExtender({ name, image }: FoundImage, { root, emit }: RestoreContext): void {
  const directory = joinPath(KANIKO_DIR, 'cache', 'base', image.digest)
  emit({ type: 'debug', message: `Saving image metadata to ${directory}...` })
  try {
    writeSparseLayout(image, directory, root)
  } catch (error) {
    throw new SlipwayError(
      'RESTORE_KANIKO_UNWRITABLE',
      `keep ${name} for the extender: ${errorChain(error)}`,
      {
        subject: KANIKO_DIR,
        hint: `Mount a directory at ${KANIKO_DIR} that the restorer may write to.`,
        class: 'infrastructure',
        cause: error,
      },
    )
  }
}
