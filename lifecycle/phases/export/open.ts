import { joinPath } from '../../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../../core/error.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import { EXIT_CODES } from '../../../spec/exit-codes.ts'
import { type BuildMetadata, parseBuildMetadata } from '../../../spec/files/metadata.ts'
import { REFERENCE_NAMES } from '../../context.ts'
import { type ExtendedImage, readExtendedImage } from '../../images/extended-image.ts'
import { type FoundImage, findImage } from '../../images/find.ts'
import type { ExportContext, ExportInputs } from '../export.ts'
import { readBuildFile } from './build-file.ts'

/**
 * The run image, by the digest that the analyzer found.
 * @throws SlipwayError `EXPORT_RUN_IMAGE_UNKNOWN` (exit 3), `EXPORT_RUN_IMAGE_MISSING`
 */
export async function openRunImage(
  { analyzed, platform }: ExportInputs,
  { images }: ExportContext,
): Promise<FoundImage> {
  const reference = analyzed.runImage?.reference ?? ''
  if (reference === '') {
    throw new SlipwayError('EXPORT_RUN_IMAGE_UNKNOWN', 'run image not found: analyzed.toml names none', {
      hint: 'Check the name of the run image and run the analyzer again.',
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    })
  }
  const found = await findImage(images, reference, platform)
  if (found !== undefined) return found
  throw new SlipwayError('EXPORT_RUN_IMAGE_MISSING', `the run image ${reference} does not exist`, {
    subject: reference,
    hint: 'It was removed since the build began; build again.',
    class: 'infrastructure',
  })
}

/** The run image as extensions left it; undefined where they added nothing to it (cnb-spec EX-1). */
export async function openExtendedImage(
  { analyzed, layersDir, extendedDir = joinPath(layersDir, 'extended') }: ExportInputs,
  { image }: FoundImage,
  { root, platformApi }: ExportContext,
): Promise<ExtendedImage | undefined> {
  if (!isAtLeast(platformApi, '0.12') || analyzed.runImage?.extend !== true) return undefined
  return readExtendedImage(root, extendedDir, image)
}

/** Without it nothing is reused, which costs time; only a layer without contents cannot do without it. */
export async function openPreviousImage(
  { analyzed, platform }: ExportInputs,
  { images, emit }: ExportContext,
  target: string,
): Promise<FoundImage | undefined> {
  const reference = analyzed.previousImage?.reference
  const where = images.naming?.identity === 'path' ? { target } : {}
  if (reference === undefined || reference === '') {
    emit({ type: 'export-started', ...where })
    return undefined
  }
  const { identity } = images.naming ?? REFERENCE_NAMES
  emit({ type: 'export-started', previousImage: reference, identity, ...where })
  try {
    return await findImage(images, reference, platform)
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    emit({ type: 'warning', message: `Not reusing layers from image '${reference}': ${errorChain(error)}` })
    return undefined
  }
}

/** What the build phase left. @throws SlipwayError `EXPORT_METADATA_MISSING`, and for a file that does not parse */
export function readMetadata({ layersDir }: ExportInputs, { root }: ExportContext): BuildMetadata {
  const file = joinPath(layersDir, 'config', 'metadata.toml')
  const text = readBuildFile(root, file)
  if (text !== undefined) return parseBuildMetadata(text, { file })
  throw new SlipwayError('EXPORT_METADATA_MISSING', `read build metadata: there is no ${file}`, {
    subject: file,
    hint: 'The build phase writes it; run it first, with the same layers directory.',
    class: 'usage',
  })
}
