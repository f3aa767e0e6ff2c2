import type { Reader } from '../decode.ts'
import type { TomlTable } from '../toml/value.ts'
import { struct, type TomlStruct } from '../toml/write.ts'
import { optional } from './source.ts'

/** A dependency that a buildpack asks for. */
export interface Require {
  readonly name: string
  readonly metadata?: TomlTable
}

/**
 * Reads a requirement. `version` belongs into its metadata; at the top level it is an error for every Buildpack API,
 * as in the reference (cnb-spec AMB-3).
 */
export function readRequire(table: Reader): Require {
  if (table.text('version') !== '') {
    throw table.invalid('version', 'top level version is not allowed; set metadata.version instead')
  }
  return { name: table.string('name'), ...readMetadata(table) }
}

/** The opaque table `metadata` of anything, kept as it is; nothing where there is none. */
export function readMetadata(table: Reader): { readonly metadata?: TomlTable } {
  return optional('metadata', table.table('metadata') && (table.value('metadata') as TomlTable))
}

export function requireStruct(require: Require): TomlStruct {
  return struct({ name: require.name, metadata: require.metadata })
}
