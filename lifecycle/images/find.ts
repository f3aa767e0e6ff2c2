import type { Image, Platform } from '../../oci/image.ts'
import { readImage } from '../../oci/read-image.ts'
import { identifier, parseReference, type Reference, referenceName, withDigest } from '../../oci/reference.ts'
import type { ImageAccess } from '../context.ts'

/** An image that exists under a name. */
export interface FoundImage {
  /** As somebody wrote it. */
  readonly name: string
  readonly reference: Reference
  readonly image: Image
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
  const reference = parseReference(name)
  const image = await readImage(access.repository(reference), identifier(reference), platform)
  return image === undefined ? undefined : { name, reference, image }
}

/**
 * The name of an image with the digest of its manifest, wherever its bytes came from: the same on a laptop, in CI and
 * in a cluster, and what a registry can be asked for (cnb-spec §2.11).
 */
export function digestName({ reference, image }: FoundImage): string {
  return referenceName(withDigest(reference, image.digest))
}
