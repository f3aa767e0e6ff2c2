import type { Reader } from '../decode.ts'
import type { TomlTable } from '../toml/value.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type FileSource, optional, orAbsent, readDocument } from './source.ts'

export interface ProjectSource {
  readonly type?: string
  readonly version?: TomlTable
  readonly metadata?: TomlTable
}

/** project-metadata.toml (cnb-spec §2.11): where the app's source came from. A missing file is `{}`. */
export interface ProjectMetadata {
  readonly source?: ProjectSource
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseProjectMetadata(text: string, source: FileSource): ProjectMetadata {
  const table = readDocument(text, source).table('source')
  if (table === undefined) return {}
  return {
    source: {
      ...optional('type', orAbsent(table.text('type'))),
      ...optional('version', opaque(table, 'version')),
      ...optional('metadata', opaque(table, 'metadata')),
    },
  }
}

export function writeProjectMetadata(project: ProjectMetadata): string {
  const { source } = project
  return writeToml(
    struct({
      source:
        source && struct({ type: source.type ?? '', version: source.version, metadata: source.metadata }),
    }),
  )
}

function opaque(table: Reader, key: string): TomlTable | undefined {
  return table.table(key) && (table.value(key) as TomlTable)
}
