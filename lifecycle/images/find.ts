import type { Image, Platform } from '../../oci/image.ts'
import { readImage } from '../../oci/read-image.ts'
import { identifier, type Reference } from '../../oci/reference.ts'
import { type ImageAccess, REFERENCE_NAMES } from '../context.ts'

/** An image that exists under a name. */
export interface FoundImage {
  /** As somebody wrote it. */
  readonly name: string
  readonly reference: Reference
  readonly image: Image
  /** Its name with the digest of its manifest, for the files between the phases. */
  readonly digestName: string
}

/**
 * Looks an image up where {@link ImageAccess} says that its name is; undefined where there is none. Of an image for
 * several platforms the one for `platform` is taken, by default this machine's.
 * @throws SlipwayError `OCI_REFERENCE_INVALID` (exit 3), and what reading it throws.
 */
export async function findImage(
  access: ImageAccess,
  name: string,
  platform?: Platform,
): Promise<FoundImage | undefined> {
  const naming = access.naming ?? REFERENCE_NAMES
  const reference = naming.parse(name)
  const image = await readImage(access.repository(reference), identifier(reference), platform)
  return image === undefined
    ? undefined
    : { name, reference, image, digestName: naming.digestName(reference, image.digest) }
}
