import { LIFECYCLE_APIS } from '../spec/files/lifecycle-descriptor.ts'
import type { OrderGroup } from '../spec/files/order.ts'
import type { RunImageMirrors } from '../spec/files/run.ts'
import { writeBuilderMetadata } from '../spec/labels/builder-metadata.ts'
import { type ModuleLayer, writeModuleLayers } from '../spec/labels/buildpack-layers.ts'
import { LABELS } from '../spec/labels/names.ts'
import { writeOrderLabel } from '../spec/labels/order.ts'
import type { BuildpackId } from '../spec/names.ts'
import type { BuildpackFolder } from './buildpack-folder.ts'

/** Labels of a builder (cnb-spec DI-44). */
export function builderLabels(
  inputs: { readonly runImages: readonly RunImageMirrors[]; readonly version: string },
  folders: readonly BuildpackFolder[],
  order: readonly OrderGroup[],
  diffIdOf: (folder: BuildpackFolder) => string,
): Readonly<Record<string, string>> {
  const modules = new Map<BuildpackId, Map<string, ModuleLayer>>()
  for (const folder of folders) {
    const { api, buildpack, stacks, targets, order: inner } = folder.descriptor
    const versions = modules.get(buildpack.id) ?? new Map<string, ModuleLayer>()
    versions.set(buildpack.version, {
      api,
      stacks,
      targets,
      order: inner,
      layerDiffId: diffIdOf(folder),
      ...(buildpack.homepage === '' ? {} : { homepage: buildpack.homepage }),
      ...(buildpack.name === '' ? {} : { name: buildpack.name }),
    })
    modules.set(buildpack.id, versions)
  }
  return {
    [LABELS.builderMetadata]: writeBuilderMetadata({
      description: "Slipway's default builder",
      buildpacks: folders.map(({ descriptor: { buildpack } }) => ({
        id: buildpack.id,
        version: buildpack.version,
        ...(buildpack.name === '' ? {} : { name: buildpack.name }),
        ...(buildpack.homepage === '' ? {} : { homepage: buildpack.homepage }),
      })),
      extensions: [],
      stackRunImage: inputs.runImages[0] ?? { image: '', mirrors: [] },
      lifecycle: { version: inputs.version, apis: LIFECYCLE_APIS },
      createdBy: { name: 'Slipway', version: inputs.version },
      images: inputs.runImages,
    }),
    [LABELS.buildpackLayers]: writeModuleLayers(modules),
    [LABELS.buildpackOrder]: writeOrderLabel(order),
  }
}
