import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Platform } from '../../oci/image.ts'
import { parseReference, type Reference, referenceName, sameRegistry } from '../../oci/reference.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { NO_RUN_IMAGE, type Run, type RunImageMirrors } from '../../spec/files/run.ts'
import type { ImageAccess } from '../context.ts'
import { type FoundImage, findImage } from './find.ts'

/** The run image that a build uses; `found` is absent where it may be read and does not exist. */
export interface ChosenRunImage {
  readonly name: string
  readonly found?: FoundImage
}

/**
 * Chooses among a run image and its mirrors (cnb-spec RR-1): those in the registry of the app image first, then in the
 * order in which they are written; the first one that can be read.
 * @throws SlipwayError `ANALYZE_RUN_IMAGE_UNNAMED`, `ANALYZE_RUN_IMAGE_INACCESSIBLE` (exit 3)
 */
export async function chooseRunImage(
  access: ImageAccess,
  candidates: RunImageMirrors,
  target: Reference,
  platform?: Platform,
): Promise<ChosenRunImage> {
  if (candidates.image === '') {
    throw new SlipwayError('ANALYZE_RUN_IMAGE_UNNAMED', 'missing run image metadata (-run-image)', {
      hint: 'Name a run image, or have one in run.toml.',
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    })
  }
  const reasons: string[] = []
  let absent: string | undefined
  for (const name of inOrder(candidates, target)) {
    try {
      const found = await findImage(access, name, platform)
      if (found !== undefined) return { name, found }
      absent ??= name
      reasons.push(`${name}: not found`)
    } catch (error) {
      if (!(error instanceof SlipwayError)) throw error
      reasons.push(`${name}: ${errorChain(error)}`)
    }
  }
  if (absent !== undefined) return { name: absent }
  throw new SlipwayError(
    'ANALYZE_RUN_IMAGE_INACCESSIBLE',
    `failed to find accessible run image: ${reasons.join('; ')}`,
    {
      subject: candidates.image,
      hint: 'Check its name and the credentials for its registry, or name another one with -run-image.',
      class: 'infrastructure',
      exitCode: EXIT_CODES.invalidArguments,
    },
  )
}

function inOrder({ image, mirrors }: RunImageMirrors, target: Reference): string[] {
  const names = [...new Set([image, ...mirrors])]
  const isNear = (name: string) => {
    const reference = readReference(name)
    return reference !== undefined && sameRegistry(reference, target)
  }
  return [...names.filter(isNear), ...names.filter((name) => !isNear(name))]
}

function readReference(name: string): Reference | undefined {
  try {
    return parseReference(name)
  } catch {
    // A name that is none is reported when its turn comes.
    return undefined
  }
}

/**
 * What is recorded in the app image about a run image and its mirrors (cnb-spec RR-3): the entry of run.toml that
 * names it, else the first one; only the name itself where an extension may have switched to an unlisted image.
 */
export function runImageMirrors(run: Run, image: string, hasExtensions: boolean): RunImageMirrors {
  const listed = run.images.find((entry) => names(entry, image))
  if (listed !== undefined) return listed
  if (hasExtensions && run.images.length > 0) return { image, mirrors: [] }
  return run.images[0] ?? NO_RUN_IMAGE
}

/** Whether an entry of run.toml names an image, digests aside and defaults filled in. */
export function names(entry: RunImageMirrors, image: string): boolean {
  const wanted = normal(image)
  return [entry.image, ...entry.mirrors].some((name) => name !== '' && normal(name) === wanted)
}

function normal(name: string): string {
  const [tagged = ''] = name.split('@')
  const reference = readReference(tagged)
  return reference === undefined ? name : referenceName(reference)
}
