import { SlipwayError } from '../core/error.ts'
import { decompress } from './decompress.ts'
import type { Digest } from './digest.ts'
import type { Descriptor, Image, Manifest, Platform, Repository, StoredManifest } from './image.ts'
import {
  CONFIG_LIMIT,
  kindOf,
  MANIFEST_LIMIT,
  parseConfig,
  parseIndex,
  parseManifest,
} from './parse-manifest.ts'
import { choosePlatform, hostPlatform, platformName } from './platform.ts'
import { createMeter } from './verify.ts'

/** A layer of an image, stored as `descriptor` says. */
export interface ImageLayer {
  readonly descriptor: Descriptor
  readonly diffId: Digest
  /** Where the blob is. */
  readonly repository: Repository
  /**
   * The uncompressed tar. Both digests are checked, which shows only at the end: what was made of the bytes counts when the
   * iteration has ended without an error.
   * @throws SlipwayError `OCI_DIGEST_MISMATCH`, `OCI_BLOB_MISSING`, `OCI_LAYER_CORRUPT`, `OCI_LAYER_TOO_LARGE`.
   */
  open(): AsyncIterable<Uint8Array>
}

/** An index in an index in an index: nobody makes that. */
const MAX_NESTING = 3

/**
 * The image behind a tag or digest, of OCI's or Docker's types; from an index the one for `platform`, by default this
 * machine's (an image that stands alone is given whatever its platform). Undefined where there is none.
 * @throws SlipwayError `OCI_PLATFORM_MISSING`, `OCI_MANIFEST_UNSUPPORTED`, `OCI_MANIFEST_INVALID`, `OCI_CONFIG_INVALID`,
 * `OCI_BLOB_MISSING`, `OCI_DIGEST_MISMATCH`.
 */
export async function readImage(
  repository: Repository,
  reference: string,
  platform?: Platform,
): Promise<Image | undefined> {
  const subject = nameOf(repository, reference)
  let stored = await repository.getManifest(reference)
  for (let depth = 0; stored !== undefined && kindOf(stored.mediaType) === 'index'; depth++) {
    if (depth === MAX_NESTING) throw unsupported(subject, 'indexes in indexes')
    checkSize(stored, subject)
    const child = childFor(stored, platform ?? hostPlatform(), subject)
    stored = await repository.getManifest(child)
    if (stored === undefined) throw missing(subject, child)
  }
  return stored === undefined ? undefined : imageOf(repository, stored, subject)
}

/** The image of a manifest that is at hand. @throws as {@link readImage} */
export async function imageOf(
  repository: Repository,
  stored: StoredManifest,
  subject: string,
): Promise<Image> {
  if (kindOf(stored.mediaType) !== 'manifest') throw unsupported(subject, stored.mediaType)
  checkSize(stored, subject)
  const manifest = parseManifest(stored.bytes, subject)
  const configBytes = await readConfig(repository, manifest, subject)
  const config = parseConfig(configBytes, subject)
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new SlipwayError(
      'OCI_CONFIG_INVALID',
      `${subject} has ${manifest.layers.length} layers and a configuration for ${config.rootfs.diff_ids.length}`,
      { subject, class: 'infrastructure' },
    )
  }
  return {
    digest: stored.digest,
    mediaType: stored.mediaType,
    manifestBytes: stored.bytes,
    manifest,
    configBytes,
    config,
    repository,
  }
}

/** An image's layers, lowest first. */
export function imageLayers(image: Image): readonly ImageLayer[] {
  const { repository } = image
  return image.manifest.layers.map((descriptor, index) => {
    // Counted when the image was read.
    const diffId = image.config.rootfs.diff_ids[index] as Digest
    return { descriptor, diffId, repository, open: () => openLayer(repository, descriptor, diffId) }
  })
}

async function* openLayer(
  repository: Repository,
  descriptor: Descriptor,
  diffId: Digest,
): AsyncGenerator<Uint8Array, void> {
  const stored = repository.openBlob(descriptor.digest, descriptor.size)
  const meter = createMeter(`contents of ${descriptor.digest}`, { digest: diffId })
  for await (const chunk of decompress(stored, { subject: descriptor.digest })) {
    meter.add(chunk)
    yield chunk
  }
  meter.finish()
}

async function readConfig(repository: Repository, manifest: Manifest, subject: string): Promise<Buffer> {
  const { digest, size } = manifest.config
  if (size > CONFIG_LIMIT) throw invalidSize(subject, 'configuration', size)
  const chunks: Uint8Array[] = []
  for await (const chunk of repository.openBlob(digest, size)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function childFor(stored: StoredManifest, platform: Platform, subject: string): Digest {
  const { manifests } = parseIndex(stored.bytes, subject)
  const chosen = choosePlatform(manifests, platform)
  if (chosen !== undefined) return chosen.digest
  const known = manifests.flatMap((manifest) =>
    // Attestations stand in an index as images of an unknown platform.
    manifest.platform === undefined || manifest.platform.os === 'unknown'
      ? []
      : [platformName(manifest.platform)],
  )
  throw new SlipwayError('OCI_PLATFORM_MISSING', `${subject} has no image for ${platformName(platform)}`, {
    subject,
    hint: known.length === 0 ? 'it names no platforms' : `it has ${known.join(', ')}`,
    class: 'user',
  })
}

function checkSize(stored: StoredManifest, subject: string): void {
  if (stored.bytes.length > MANIFEST_LIMIT) throw invalidSize(subject, 'manifest', stored.bytes.length)
}

function invalidSize(subject: string, what: 'manifest' | 'configuration', size: number): SlipwayError {
  return new SlipwayError('OCI_MANIFEST_INVALID', `${subject} has a ${what} of ${size} bytes`, {
    subject,
    class: 'infrastructure',
  })
}

function unsupported(subject: string, what: string): SlipwayError {
  return new SlipwayError(
    'OCI_MANIFEST_UNSUPPORTED',
    `${subject} is not an image that can be used: ${what}`,
    {
      subject,
      hint: 'images of the OCI format or of Docker schema 2 are',
      class: 'user',
    },
  )
}

function missing(subject: string, digest: Digest): SlipwayError {
  return new SlipwayError('OCI_BLOB_MISSING', `${subject} names ${digest}, which is not there`, {
    subject,
    class: 'infrastructure',
  })
}

function nameOf(repository: Repository, reference: string): string {
  return `${repository.name}${reference.includes(':') ? '@' : ':'}${reference}`
}
