import { struct, writeToml } from '../toml/write.ts'
import { type Require, readRequire, requireStruct } from './require.ts'
import { type FileSource, readDocument } from './source.ts'

/** The buildpack plan (buildpack spec): what one bin/build or bin/generate is asked to provide. */
export interface BuildpackPlan {
  readonly entries: readonly Require[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuildpackPlan(text: string, source: FileSource): BuildpackPlan {
  return { entries: readDocument(text, source).tables('entries').map(readRequire) }
}

/** An empty text where nothing is asked. */
export function writeBuildpackPlan(plan: BuildpackPlan): string {
  if (plan.entries.length === 0) return ''
  return writeToml(struct({ entries: plan.entries.map(requireStruct) }))
}
