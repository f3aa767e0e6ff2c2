import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import type { Root } from '../../core/root.ts'
import type { Image } from '../../oci/image.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { type ImageLayer, imageLayers, readImage } from '../../oci/read-image.ts'
import { layerHistory } from '../../oci/write-image.ts'
import { nameOfFile } from '../../spec/names.ts'

/** A layer that extensions put on the run image. */
export interface ExtensionLayer {
  /** What the extender says of it: `Layer: 'RUN …', Created by extension: ID`. */
  readonly createdBy: string
  readonly layer: ImageLayer
}

/** The run image as an extender left it. */
export interface ExtendedImage {
  /** Its configuration is the app's from here on. */
  readonly image: Image
  readonly layers: readonly ExtensionLayer[]
}

/** Whether an extender left anything. */
export function hasExtendedImage(root: Root, extendedDir: ContainerPath): boolean {
  return root.list(joinPath(extendedDir, 'run')).length > 0
}

/**
 * Reads the extended run image (cnb-spec IX-56): `<extended>/run/<digest>`, an OCI layout with one image, whose layers are
 * there as far as extensions made them. Those of the run image stay where they are.
 * @throws SlipwayError `EXPORT_EXTENDED_MISSING`, `EXPORT_EXTENDED_INVALID`, `OCI_…`
 */
export async function readExtendedImage(
  root: Root,
  extendedDir: ContainerPath,
  runImage: Image,
): Promise<ExtendedImage> {
  const parent = joinPath(extendedDir, 'run')
  const [first, ...others] = root.list(parent)
  if (first === undefined) throw missing(parent)
  if (others.length > 0) throw invalid(parent, `expected 1 image, found ${others.length + 1}`)
  const directory = joinPath(parent, first.name)
  const layout = openLayout(Buffer.from(root.resolve(directory), 'latin1').toString('utf8'))
  const [only, ...more] = layout.images()
  if (only === undefined || more.length > 0)
    throw invalid(directory, `expected an index with 1 manifest, found ${layout.images().length}`)
  const image = await readImage(layout.repository(''), only.descriptor.digest)
  if (image === undefined) throw invalid(directory, `there is no ${only.descriptor.digest}`)
  return { image, layers: await addedLayers(image, runImage, directory) }
}

async function addedLayers(
  image: Image,
  runImage: Image,
  directory: ContainerPath,
): Promise<readonly ExtensionLayer[]> {
  const history = layerHistory(image.config)
  const below = runImage.config.rootfs.diff_ids
  const added: ExtensionLayer[] = []
  for (const [index, layer] of imageLayers(image).entries()) {
    if (layer.diffId === below[index]) continue
    if ((await layer.repository.blobSize(layer.descriptor.digest)) === undefined)
      throw invalid(directory, `layer ${layer.descriptor.digest} is neither there nor of the run image`)
    added.push({ createdBy: history[index]?.created_by ?? '', layer })
  }
  return added
}

function missing(directory: ContainerPath): SlipwayError {
  return new SlipwayError(
    'EXPORT_EXTENDED_MISSING',
    `missing extended run image: there is nothing in ${nameOfFile(directory)}`,
    {
      subject: nameOfFile(directory),
      hint: 'Extensions add to the run image; run an extender with -kind run before the exporter.',
      class: 'usage',
    },
  )
}

function invalid(directory: ContainerPath, reason: string): SlipwayError {
  return new SlipwayError(
    'EXPORT_EXTENDED_INVALID',
    `extended run image ${nameOfFile(directory)}: ${reason}`,
    {
      subject: nameOfFile(directory),
      class: 'infrastructure',
    },
  )
}
