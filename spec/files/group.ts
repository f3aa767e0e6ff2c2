import type { Reader } from '../decode.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { type FileSource, orAbsent, readDocument } from './source.ts'

/** A buildpack or extension that takes part in a build. */
export interface GroupElement extends ModuleRef {
  /** Its Buildpack API as written; empty where missing. Check it with `negotiateBuildpackApi`. */
  readonly api: string
  /** Empty where there is none. */
  readonly homepage: string
}

/** group.toml (cnb-spec §2.11): what detection chose, in order. */
export interface Group {
  readonly group: readonly GroupElement[]
  readonly groupExtensions: readonly GroupElement[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseGroup(text: string, source: FileSource): Group {
  const document = readDocument(text, source)
  return {
    group: document.tables('group').map(readGroupElement),
    groupExtensions: document.tables('group-extensions').map(readGroupElement),
  }
}

export function writeGroup(group: Group): string {
  return writeToml(
    struct({
      group: group.group.map(groupElementStruct),
      'group-extensions':
        group.groupExtensions.length === 0 ? undefined : group.groupExtensions.map(groupElementStruct),
    }),
  )
}

export function readGroupElement(table: Reader): GroupElement {
  return { ...readModuleRef(table), api: table.text('api'), homepage: table.text('homepage') }
}

export function groupElementStruct(element: GroupElement): TomlStruct {
  return struct({
    id: element.id,
    version: element.version,
    api: orAbsent(element.api),
    homepage: orAbsent(element.homepage),
  })
}
