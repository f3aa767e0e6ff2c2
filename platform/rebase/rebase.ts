import { defaultNames } from '../../builders/names.ts'
import { SlipwayError } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import type { ImageAccess } from '../../lifecycle/context.ts'
import { type Rebased, rebase } from '../../lifecycle/phases/rebase.ts'
import { parseReference, type Reference, referenceName, sameRepository } from '../../oci/reference.ts'
import { parseApiVersion } from '../../spec/api-version.ts'
import type { Session } from '../session.ts'

export interface RebaseRequest {
  readonly image: Reference
  /** The image is in the registry that its name says, not in the local store. */
  readonly publish: boolean
  /** Default: the default builder's, as the last build left it in the local store. */
  readonly runImage?: Reference
  /** Allow what the image's own rules forbid. */
  readonly force: boolean
  readonly insecureRegistries: readonly string[]
}

/** As a build with this command speaks it. */
const PLATFORM_API = parseApiVersion('0.15')

/**
 * Puts an image on the present run image, without its source and without a build: in the local store, or in its registry,
 * where no layer of the image is read. The run image is taken from the local store where it stands there.
 * @throws SlipwayError `REBASE_…`
 */
export async function rebaseImage(request: RebaseRequest, session: Session, emit: Emit): Promise<Rebased> {
  const runImage = request.runImage ?? defaultRunImage(session)
  const images = await imageAccess(request, runImage, session, emit)
  return rebase(
    { images: [referenceName(request.image)], runImage: referenceName(runImage), force: request.force },
    { emit, platformApi: PLATFORM_API, images },
  )
}

function defaultRunImage({ settings }: Session): Reference {
  return parseReference(settings.runImage ?? defaultNames('trixie').run)
}

async function imageAccess(
  request: RebaseRequest,
  runImage: Reference,
  { store, registry }: Session,
  emit: Emit,
): Promise<ImageAccess> {
  const isLocal = (await store.image(runImage)) !== undefined
  if (!isLocal && request.runImage === undefined) {
    throw new SlipwayError(
      'REBASE_NO_RUN_IMAGE',
      `there is no ${referenceName(runImage)} in the local store, the run image of the default builder`,
      {
        subject: referenceName(runImage),
        hint: 'a build makes it (./slipway build NAME --path FOLDER), or name another one with --run-image',
        class: 'usage',
      },
    )
  }
  const remote = isLocal && !request.publish ? undefined : await registry(emit, request.insecureRegistries)
  return {
    repository: (reference) => {
      const isInStore = sameRepository(reference, runImage) ? isLocal : !request.publish
      return isInStore || remote === undefined ? store.repository(reference) : remote.repository(reference)
    },
  }
}
