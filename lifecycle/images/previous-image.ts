import { SlipwayError } from '../../core/error.ts'
import type { Image, Platform } from '../../oci/image.ts'
import {
  EMPTY_LIFECYCLE_METADATA,
  type LifecycleMetadata,
  parseLifecycleMetadata,
} from '../../spec/labels/lifecycle-metadata.ts'
import { LABELS } from '../../spec/labels/names.ts'
import type { ImageAccess } from '../context.ts'
import { type FoundImage, findImage } from './find.ts'

export type PreviousImage =
  | { readonly kind: 'missing' }
  /** It is there and cannot be used: it is built anew as if there were none. */
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'found'; readonly found: FoundImage; readonly metadata: LifecycleMetadata }

/**
 * Reads what the last build of an app left in its image (cnb-spec ). An image that is broken, or whose metadata
 * cannot be read, is no failure: everything is built again.
 */
export async function readPreviousImage(
  access: ImageAccess,
  name: string,
  platform?: Platform,
): Promise<PreviousImage> {
  try {
    const found = await findImage(access, name, platform)
    if (found === undefined) return { kind: 'missing' }
    return { kind: 'found', found, metadata: metadataOf(found.image) }
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    // The last build was for other platforms.
    if (error.code === 'OCI_PLATFORM_MISSING') return { kind: 'missing' }
    if (isCorruption(error) || error.code.startsWith('SPEC_')) return { kind: 'corrupt' }
    throw error
  }
}

function metadataOf(image: Image): LifecycleMetadata {
  const label = image.config.config?.Labels?.[LABELS.lifecycleMetadata]
  if (label === undefined || label === '') return EMPTY_LIFECYCLE_METADATA
  return parseLifecycleMetadata(label, { file: `label ${LABELS.lifecycleMetadata}` })
}

/** Whether something is wrong with an image itself, not with the way to it. */
export function isCorruption(error: unknown): boolean {
  return error instanceof SlipwayError && CORRUPTIONS.has(error.code)
}

const CORRUPTIONS: ReadonlySet<string> = new Set([
  'OCI_MANIFEST_INVALID',
  'OCI_MANIFEST_UNSUPPORTED',
  'OCI_CONFIG_INVALID',
  'OCI_BLOB_MISSING',
  'OCI_DIGEST_MISMATCH',
  'OCI_LAYER_CORRUPT',
])
