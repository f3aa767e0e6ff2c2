import type { Reader } from '../decode.ts'
import { type BuildpackId, parseBuildpackId, parseBuildpackVersion } from '../names.ts'

/** One buildpack or extension by ID and version, as orders, groups and plans name it. */
export interface ModuleRef {
  readonly id: BuildpackId
  readonly version: string
}

/** Reads `id` and `version`, which become directory names and are checked for that. */
export function readModuleRef(table: Reader): ModuleRef {
  return { id: table.parsed('id', parseBuildpackId), version: table.parsed('version', parseBuildpackVersion) }
}

/** `a/b@1.2.3` */
export function formatModuleRef(module: { readonly id: string; readonly version: string }): string {
  return `${module.id}@${module.version}`
}
