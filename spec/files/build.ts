import { struct, writeToml } from '../toml/write.ts'
import { type BomEntry, readBom } from './bom.ts'
import { type FileSource, readDocument } from './source.ts'

/** build.toml (buildpack spec). */
export interface Build {
  /** Names of the buildpack's plan that a later buildpack shall get; empty names are kept, checking is the build's. */
  readonly unmet: readonly string[]
  readonly bom: readonly BomEntry[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuild(text: string, source: FileSource): Build {
  const document = readDocument(text, source)
  return { unmet: document.tables('unmet').map((unmet) => unmet.text('name')), bom: readBom(document) }
}

export function writeBuild(build: Pick<Build, 'unmet'>): string {
  if (build.unmet.length === 0) return ''
  return writeToml(struct({ unmet: build.unmet.map((name) => struct({ name })) }))
}
