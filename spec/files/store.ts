import type { TomlTable } from '../toml/value.ts'
import { struct, writeToml } from '../toml/write.ts'
import { readMetadata } from './require.ts'
import { type FileSource, readDocument } from './source.ts'

/** store.toml (buildpack spec): what a buildpack keeps between builds. */
export interface Store {
  readonly metadata?: TomlTable
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseStore(text: string, source: FileSource): Store {
  return readMetadata(readDocument(text, source))
}

export function writeStore(store: Store): string {
  return writeToml(struct({ metadata: store.metadata }))
}
