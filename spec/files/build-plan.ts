import type { Reader } from '../decode.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type Require, readRequire, requireStruct } from './require.ts'
import { type FileSource, readDocument } from './source.ts'

/** What a buildpack offers and asks for. */
export interface PlanSections {
  readonly provides: readonly { readonly name: string }[]
  readonly requires: readonly Require[]
}

/** The build plan (buildpack spec): what bin/detect writes. Alternatives are tried in order after the plan itself. */
export interface BuildPlan extends PlanSections {
  readonly or: readonly PlanSections[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID`; `version` at the top of a require is one (AMB-3). */
export function parseBuildPlan(text: string, source: FileSource): BuildPlan {
  const document = readDocument(text, source)
  return { ...readSections(document), or: document.tables('or').map(readSections) }
}

export function writeBuildPlan(plan: BuildPlan): string {
  return writeToml(
    struct({ ...sections(plan), or: plan.or.length === 0 ? undefined : plan.or.map(sectionsStruct) }),
  )
}

/** Whether anything is required in the plan or an alternative: an extension may not (cnb-spec IX-4). */
export function hasRequires(plan: BuildPlan): boolean {
  return [plan, ...plan.or].some((alternative) => alternative.requires.length > 0)
}

function readSections(table: Reader): PlanSections {
  return {
    provides: table.tables('provides').map((provide) => ({ name: provide.string('name') })),
    requires: table.tables('requires').map(readRequire),
  }
}

function sections(plan: PlanSections) {
  return {
    provides: plan.provides.length === 0 ? undefined : plan.provides.map(({ name }) => struct({ name })),
    requires: plan.requires.length === 0 ? undefined : plan.requires.map(requireStruct),
  }
}

function sectionsStruct(plan: PlanSections): TomlStruct {
  return struct(sections(plan))
}
