import { goJson } from '../../core/go-json.ts'
import type { ProjectMetadata } from '../files/project-metadata.ts'
import { type FileSource, optional, orAbsent } from '../files/source.ts'
import { type JsonValue, jsonToToml, readJson, tomlToJson } from '../json.ts'
import type { TomlTable } from '../toml/value.ts'

/** Label `io.buildpacks.project.metadata`: `{}` where there is no project-metadata.toml. */
export function writeProjectLabel(project: ProjectMetadata): string {
  const { source } = project
  return goJson({
    source: source && {
      type: orAbsent(source.type),
      version: nonEmpty(source.version),
      metadata: nonEmpty(source.metadata),
    },
  })
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseProjectLabel(text: string, source: FileSource): ProjectMetadata {
  const table = readJson(text, source).table('source')
  if (table === undefined) return {}
  const opaque = (key: string) => {
    const isEmpty = (table.table(key)?.keys.length ?? 0) === 0
    return isEmpty ? undefined : (jsonToToml(table.value(key) as JsonValue, source) as TomlTable)
  }
  return {
    source: {
      ...optional('type', orAbsent(table.text('type'))),
      ...optional('version', opaque('version')),
      ...optional('metadata', opaque('metadata')),
    },
  }
}

function nonEmpty(table: TomlTable | undefined): unknown {
  return table === undefined || Object.keys(table).length === 0 ? undefined : tomlToJson(table)
}
