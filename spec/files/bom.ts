import type { Reader } from '../decode.ts'
import type { TomlTable } from '../toml/value.ts'
import { struct, type TomlStruct } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { readMetadata } from './require.ts'
import { optional } from './source.ts'

/** An entry of the legacy, unstructured bill of materials (superseded by SBOM files in Buildpack API 0.7). */
export interface BomEntry {
  readonly name: string
  readonly metadata?: TomlTable
  /** The buildpack that wrote it; absent in the buildpack's own files. */
  readonly buildpack?: ModuleRef
}

/** Reads `[[bom]]`. A top-level version is an error. */
export function readBom(document: Reader): readonly BomEntry[] {
  return document.tables('bom').map((table) => {
    const name = table.text('name')
    if (table.text('version') !== '') {
      throw table.invalid(
        'version',
        `bom entry '${name}' has a top level version which is not allowed. The buildpack should instead set metadata.version`,
      )
    }
    const buildpack = table.table('buildpack')
    // The reference writes a buildpack without a name where there is none.
    const isNamed = buildpack !== undefined && buildpack.text('id') !== ''
    return {
      name,
      ...readMetadata(table),
      ...optional('buildpack', isNamed ? readModuleRef(buildpack) : undefined),
    }
  })
}

export function bomStruct(entry: BomEntry): TomlStruct {
  const { id = '', version = '' } = entry.buildpack ?? {}
  return struct({ name: entry.name, metadata: entry.metadata, buildpack: struct({ id, version }) })
}
