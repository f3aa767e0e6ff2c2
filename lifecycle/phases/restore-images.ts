import { type ContainerPath, containerPath, joinPath } from '../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../core/error.ts'
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
 * @throws SlipwayError `RESTORE_BUILD_IMAGE_INACCESSIBLE`, `RESTORE_RUN_IMAGE_INACCESSIBLE` (exit 1)
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
  try {
    const found = await mustFind(registries(context), buildImage, platform)
    keepForExtender(found, context)
    return { ...analyzed, buildImage: { reference: found.digestName } }
  } catch (error) {
    throw new SlipwayError(
      'RESTORE_BUILD_IMAGE_INACCESSIBLE',
      `pull builder image ${buildImage}: ${errorChain(error)}`,
      {
        subject: buildImage,
        hint: `Check its name, the credentials for its registry, and that ${KANIKO_DIR} may be written to.`,
        class: 'infrastructure',
        cause: error,
      },
    )
  }
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
  const hasTargets = isAtLeast(platformApi, '0.12')
  const isExtended = hasTargets && runImage.extend && inputs.layout !== true
  const name = isExtended ? pullableName(runImage, context) : runImage.reference || (runImage.image ?? '')
  const isKnown = hasTargets ? (runImage.target?.os ?? '') !== '' : !mayBeSwitched(inputs, context)
  const mustBeThere = isAtLeast(platformApi, '0.14') && isListed(runImage, inputs)
  if (name === '' || (isKnown && !isExtended && !mustBeThere)) return runImage
  try {
    const found = await mustFind(isExtended ? registries(context) : images, name, inputs.platform)
    if (isExtended) keepForExtender(found, context)
    else if (isKnown) return runImage
    const { target: _outdated, ...known } = runImage
    return {
      ...known,
      reference: found.digestName,
      ...(hasTargets ? { target: targetOfImage(found.image.config) } : {}),
    }
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    throw new SlipwayError(
      'RESTORE_RUN_IMAGE_INACCESSIBLE',
      `selected run image '${runImage.image ?? name}' is not accessible: ${errorChain(error)}`,
      {
        subject: runImage.image ?? name,
        hint: 'Check that it was not removed since the build began, and the credentials for its registry.',
        class: 'infrastructure',
        cause: error,
      },
    )
  }
}

/** Before Platform API 0.12 nothing says whether an extension has chosen the run image: its digest is looked up again. */
function mayBeSwitched({ group }: RestoreInputs, { platformApi }: RestoreContext): boolean {
  return isAtLeast(platformApi, '0.10') && group.groupExtensions.length > 0
}

function isListed({ image = '' }: AnalyzedRunImage, { run }: RestoreInputs): boolean {
  return run?.images.some((entry) => names(entry, image)) ?? false
}

async function mustFind(
  images: ImageAccess,
  name: string,
  platform: RestoreInputs['platform'],
): Promise<FoundImage> {
  const found = await findImage(images, name, platform)
  if (found !== undefined) return found
  throw new SlipwayError('RESTORE_IMAGE_MISSING', `there is no ${name}`, {
    subject: name,
    class: 'infrastructure',
  })
}

/** A reference by digest is the very image that was analyzed; a daemon's means nothing to a registry. */
function pullableName({ reference, image = '' }: AnalyzedRunImage, context: RestoreContext): string {
  return registries(context) === context.images && reference !== '' ? reference : image
}

/** What an extender works on is in a registry, wherever the other images are. */
function registries({ images, registries: own = images }: RestoreContext): ImageAccess {
  return own
}

function keepForExtender({ image }: FoundImage, { root, emit }: RestoreContext): void {
  const directory = joinPath(KANIKO_DIR, 'cache', 'base', image.digest)
  emit({ type: 'debug', message: `Saving image metadata to ${directory}...` })
  writeSparseLayout(image, directory, root)
}
