import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import type { Emit } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import type { BomEntry } from '../../../spec/files/bom.ts'
import { parseBuild } from '../../../spec/files/build.ts'
import { type Launch, parseLaunch } from '../../../spec/files/launch.ts'
import { parseStore } from '../../../spec/files/store.ts'
import { nameOfFile } from '../../../spec/names.ts'
import type { Module } from '../detect/modules.ts'
import { type BuiltLayer, readSmallText, settleLayers } from './layers.ts'
import { findSboms, hasSbomFiles, type SbomCopy } from './sbom.ts'

/** What a buildpack has left in its layers directory. */
export interface BuildOutputs {
  readonly layers: readonly BuiltLayer[]
  readonly unmet: readonly string[]
  readonly launch: Launch
  readonly sboms: readonly SbomCopy[]
  readonly boms: { readonly launch: readonly BomEntry[]; readonly build: readonly BomEntry[] }
}

const DEPRECATED_BOM =
  'BOM table is deprecated in this buildpack api version, though it remains supported for backwards compatibility. Buildpack authors should write BOM information to <layer>.sbom.<ext>, launch.sbom.<ext>, or build.sbom.<ext>.'

/**
 * Reads and checks everything that a buildpack wrote; sets layers that are for nothing aside.
 * @throws SlipwayError `SPEC_…`, `BUILD_FILE_UNUSABLE`, `BUILD_SBOM_INVALID`
 */
export function readOutputs(root: Root, directory: ContainerPath, module: Module, emit: Emit): BuildOutputs {
  const { id, version } = module.info
  const layers = settleLayers(root, directory)
  const text = (name: string) => readSmallText(root, joinPath(directory, name)) ?? ''
  const source = (name: string) => ({
    file: nameOfFile(joinPath(directory, name)),
    class: 'buildpack' as const,
  })
  // What it holds is read when the image is made; that it can be read is the buildpack's to hear of now.
  parseStore(text('store.toml'), source('store.toml'))
  const build = parseBuild(text('build.toml'), source('build.toml'))
  const sboms = findSboms(root, directory, { id, version }, module.sbomFormats, layers)
  const launch = parseLaunch(text('launch.toml'), {
    ...source('launch.toml'),
    buildpackApi: module.apiVersion,
    buildpackId: id,
  })
  for (const message of launch.warnings) emit({ type: 'warning', message })
  const signed = (entries: readonly BomEntry[]) =>
    entries.map((entry) => ({ ...entry, buildpack: { id, version } }))
  const boms = { launch: signed(launch.bom), build: signed(build.bom) }
  if (boms.launch.length + boms.build.length > 0 && !hasSbomFiles(root, directory)) {
    emit({ type: 'warning', message: DEPRECATED_BOM })
  }
  return { layers, unmet: build.unmet, launch, sboms, boms }
}
