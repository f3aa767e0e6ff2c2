import type { ApiVersion } from '../api-version.ts'
import { isAtLeast } from '../api-version.ts'
import { byByteOrder } from '../byte-order.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type BomEntry, bomStruct, readBom } from './bom.ts'
import { type GroupElement, groupElementStruct, readGroupElement } from './group.ts'
import { type Label, readLabels, readSlices, type Slice } from './launch.ts'
import { type Process, processStruct, readProcess } from './process.ts'
import { type FileSource, optional, orAbsent, readDocument, someOrAbsent } from './source.ts'

/** `<layers>/config/metadata.toml` (cnb-spec §2.11): what the build phase leaves for exporter and launcher. */
export interface BuildMetadata {
  readonly buildpacks: readonly GroupElement[]
  readonly extensions: readonly GroupElement[]
  readonly labels: readonly Label[]
  readonly processes: readonly Process[]
  readonly slices: readonly Slice[]
  /** Absent: no default process. */
  readonly defaultProcessType?: string
  /** Only with Platform API before 0.9. */
  readonly bom?: readonly BomEntry[]
}

/** Reads what any Platform API wrote. @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuildMetadata(text: string, source: FileSource): BuildMetadata {
  const document = readDocument(text, source)
  return {
    buildpacks: document.tables('buildpacks').map(readGroupElement),
    extensions: document.tables('extensions').map(readGroupElement),
    labels: readLabels(document),
    processes: document.tables('processes').map((table) => readProcess(table, 'buildpack-id')),
    slices: readSlices(document),
    ...optional('defaultProcessType', orAbsent(document.text('buildpack-default-process-type'))),
    ...optional('bom', someOrAbsent(readBom(document))),
  }
}

/** Processes come out sorted by type; `command` is a string for a Platform API before 0.10. */
export function writeBuildMetadata(
  metadata: BuildMetadata,
  options: { readonly platformApi: ApiVersion },
): string {
  const { platformApi } = options
  const bom = isAtLeast(platformApi, '0.9') ? [] : (metadata.bom ?? [])
  const processes = [...metadata.processes].sort((a, b) => byByteOrder(a.type, b.type))
  return writeToml(
    struct({
      bom: someOrAbsent(bom.map(bomStruct)),
      buildpacks: metadata.buildpacks.map(groupElementStruct),
      extensions: someOrAbsent(metadata.extensions.map(groupElementStruct)),
      labels: someOrAbsent(metadata.labels.map(({ key, value }) => struct({ key, value }))),
      processes: processes.map((process) => processStruct(process, platformApi)),
      slices: someOrAbsent(metadata.slices.map(({ paths }) => struct({ paths }))),
      'buildpack-default-process-type': metadata.defaultProcessType,
    }),
  )
}
