import { struct, writeToml } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { type Require, readRequire, requireStruct } from './require.ts'
import { type FileSource, readDocument } from './source.ts'

export interface PlanProvider extends ModuleRef {
  readonly extension: boolean
}

/** One dependency: who offered it, and what was asked of it. All requires of an entry have one name. */
export interface PlanEntry {
  readonly providers: readonly PlanProvider[]
  readonly requires: readonly Require[]
}

/** plan.toml (cnb-spec §2.11): the build plan that detection resolved. */
export interface Plan {
  readonly entries: readonly PlanEntry[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parsePlan(text: string, source: FileSource): Plan {
  const entries = readDocument(text, source).tables('entries')
  return {
    entries: entries.map((entry) => ({
      providers: entry.tables('providers').map((provider) => ({
        ...readModuleRef(provider),
        extension: provider.flag('extension'),
      })),
      requires: entry.tables('requires').map(readRequire),
    })),
  }
}

/** An empty text where the plan has no entries, as the reference writes. */
export function writePlan(plan: Plan): string {
  if (plan.entries.length === 0) return ''
  return writeToml(
    struct({
      entries: plan.entries.map((entry) =>
        struct({
          providers: entry.providers.map(({ id, version, extension }) =>
            struct({ id, version, extension: extension || undefined }),
          ),
          requires: entry.requires.map(requireStruct),
        }),
      ),
    }),
  )
}
