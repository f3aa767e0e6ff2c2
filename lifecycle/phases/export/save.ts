import { errorChain, SlipwayError } from '../../../core/error.ts'
import type { EventBody } from '../../../core/event.ts'
import { copyImage } from '../../../oci/copy.ts'
import { encoded } from '../../../oci/digest.ts'
import type { Image, Repository } from '../../../oci/image.ts'
import { DEFAULT_TAG } from '../../../oci/reference.ts'
import { type ImageDraft, writeImage } from '../../../oci/write-image.ts'
import { EXIT_CODES } from '../../../spec/exit-codes.ts'
import type { Report } from '../../../spec/files/report.ts'
import { type ImageAccess, type ImageNaming, REFERENCE_NAMES } from '../../context.ts'

/** One name that the image gets. */
export interface TargetName {
  readonly name: string
  readonly tag: string
}

/** Names in one repository; the first one's is where the image is made. */
export interface Target {
  readonly repository: Repository
  readonly names: readonly TargetName[]
}

/**
 * The places of the image's names.
 * @throws SlipwayError `EXPORT_NAME_INVALID` and `OCI_REFERENCE_INVALID` (exit 3)
 */
export function targetsOf(images: ImageAccess, names: readonly [string, ...string[]]): [Target, ...Target[]] {
  const [first, ...rest] = names
  const targets: [Target, ...Target[]] = [targetOf(images, first)]
  for (const name of rest) {
    const target = targetOf(images, name)
    const same = targets.findIndex(
      ({ repository: { name, origin } }) =>
        name === target.repository.name && origin === target.repository.origin,
    )
    const found = targets[same]
    if (found === undefined) targets.push(target)
    else targets[same] = { ...found, names: [...found.names, ...target.names] }
  }
  return targets
}

function targetOf(images: ImageAccess, name: string): Target {
  const naming = images.naming ?? REFERENCE_NAMES
  const reference = naming.parse(name)
  if (reference.digest !== undefined) {
    throw new SlipwayError('EXPORT_NAME_INVALID', `an image cannot be saved under a digest: ${name}`, {
      subject: name,
      hint: 'Give it a tag, or only a name.',
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    })
  }
  return {
    repository: images.repository(reference),
    names: [{ name: naming.savedName(name, reference), tag: reference.tag ?? DEFAULT_TAG }],
  }
}

/** The primary name, as it will be told. */
export function nameOf([{ names }]: readonly [Target, ...Target[]]): string {
  return names[0]?.name ?? ''
}

export interface SavedName {
  readonly name: string
  readonly error?: string
}

export interface SavedImage {
  readonly image: Image
  readonly names: readonly SavedName[]
  readonly identity: ImageNaming['identity']
}

/**
 * Writes the image under all of its names (cnb-spec SV-1). That one name cannot be written keeps it from no other; what
 * went wrong stands beside the name.
 * @throws SlipwayError where the image itself cannot be written
 */
export async function saveImage(
  draft: Omit<ImageDraft, 'repository' | 'tags'>,
  [primary, ...others]: readonly [Target, ...Target[]],
  { naming = REFERENCE_NAMES }: ImageAccess,
): Promise<SavedImage> {
  const tags = primary.names.map(({ tag }) => tag)
  const { repository } = primary
  const names: SavedName[] = []
  let image: Image
  try {
    image = await writeImage({ ...draft, repository, tags })
    names.push(...primary.names.map(({ name }) => ({ name })))
  } catch (error) {
    if (tags.length === 1 && others.length === 0) throw error
    // Which of the names failed shows one by one.
    image = await writeImage({ ...draft, repository, tags: [] })
    for (const target of primary.names) names.push(await saved(target, () => tagImage(image, target)))
  }
  for (const { repository: other, names: targets } of others) {
    for (const target of targets) names.push(await saved(target, () => copyImage(image, other, [target.tag])))
  }
  return { image, names, identity: naming.identity }
}

async function tagImage(image: Image, { tag }: TargetName): Promise<void> {
  await image.repository.putManifest(image.manifestBytes, image.mediaType, [tag])
}

async function saved({ name }: TargetName, save: () => Promise<unknown>): Promise<SavedName> {
  try {
    await save()
    return { name }
  } catch (error) {
    return { name, error: errorChain(error) }
  }
}

/** What was saved, for whoever listens. */
export function savedEvent({ image, names, identity }: SavedImage): EventBody {
  const { config, layers } = image.manifest
  return {
    type: 'image-saved',
    digest: image.digest,
    identity,
    names,
    manifestSize: image.manifestBytes.length,
    size: [config, ...layers].reduce((sum, { size }) => sum + size, 0),
  }
}

/** What was saved, for report.toml (SV-2). */
export function savedReport({ image, names, identity }: SavedImage): Report['image'] {
  const tags = names.map(({ name }) => name)
  // A daemon has no manifest to show.
  if (identity === 'image-id') return { tags, imageId: encoded(image.digest) }
  return {
    tags,
    ...(identity === 'path' ? {} : { digest: image.digest }),
    manifestSize: image.manifestBytes.length,
  }
}

/** Fails where a name could not be written. @throws SlipwayError `EXPORT_SAVE_FAILED` */
export function requireSaved({ names }: SavedImage): void {
  const failed = names.filter(({ error }) => error !== undefined)
  if (failed.length === 0) return
  const reasons = failed.map(({ name, error }) => `${name}: ${error}`).join('; ')
  throw new SlipwayError('EXPORT_SAVE_FAILED', `failed to save image under ${reasons}`, {
    subject: failed[0]?.name ?? '',
    hint: 'Check the name and the credentials for its registry.',
    class: 'infrastructure',
  })
}
