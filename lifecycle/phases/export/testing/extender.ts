import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Image, ImageConfig } from '../../../../oci/image.ts'
import { openLayout } from '../../../../oci/layout/layout.ts'
import { entriesLayer, type LayerEntry } from '../../../../oci/tar/walk.ts'
import { addedLayer, writeImage } from '../../../../oci/write-image.ts'
import { writeLayer } from '../../../../oci/write-layer.ts'

export interface Extension {
  /** `Layer: 'RUN x', Created by extension: a/b`. */
  readonly createdBy: string
  readonly entries: readonly LayerEntry[]
}

/**
 * What an extender leaves after it added to a run image (cnb-spec IX-56): `<extended>/run/<digest>` with manifest,
 * configuration and the new layers alone.
 * @param extendedDir of this machine
 */
export async function extendRunImage(
  extendedDir: string,
  base: Image,
  extensions: readonly Extension[],
  config: ImageConfig['config'],
): Promise<Image> {
  const making = join(extendedDir, 'making')
  mkdirSync(making, { recursive: true })
  const repository = openLayout(making).repository('')
  const layers = []
  for (const { createdBy, entries } of extensions) {
    const written = await writeLayer(entriesLayer(entries), repository)
    layers.push(addedLayer(written, { created_by: createdBy }))
  }
  const { os, architecture } = base.config
  const image = await writeImage({
    repository,
    tags: ['extended'],
    base,
    layers,
    config: { os, architecture, ...(config === undefined ? {} : { config }) },
    sparse: true,
  })
  mkdirSync(join(extendedDir, 'run'))
  renameSync(making, join(extendedDir, 'run', image.digest))
  return image
}
