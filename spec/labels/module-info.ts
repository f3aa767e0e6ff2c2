import type { Reader } from '../decode.ts'
import { optional, orAbsent, someOrAbsent } from '../files/source.ts'
import { type BuildpackId, parseBuildpackId } from '../names.ts'

/** A buildpack or extension as pack's labels describe it. */
export interface ModuleSummary {
  readonly id: BuildpackId
  readonly version: string
  readonly name?: string
  readonly description?: string
  readonly homepage?: string
  readonly keywords?: readonly string[]
  readonly licenses?: readonly { readonly type: string; readonly uri: string }[]
}

export function readModuleSummary(table: Reader): ModuleSummary {
  return {
    id: table.parsed('id', parseBuildpackId),
    version: table.text('version'),
    ...optional('name', orAbsent(table.text('name'))),
    ...optional('description', orAbsent(table.text('description'))),
    ...optional('homepage', orAbsent(table.text('homepage'))),
    ...optional('keywords', someOrAbsent(table.strings('keywords'))),
    ...optional('licenses', someOrAbsent(table.tables('licenses').map(readLicense))),
  }
}

/** In the order of pack's struct; empty fields are left out. */
export function moduleSummaryJson(module: ModuleSummary) {
  return {
    id: module.id,
    name: orAbsent(module.name),
    version: orAbsent(module.version),
    description: orAbsent(module.description),
    homepage: orAbsent(module.homepage),
    keywords: someOrAbsent(module.keywords),
    licenses: someOrAbsent(module.licenses)?.map(({ type, uri }) => ({ type, uri })),
  }
}

function readLicense(table: Reader): { type: string; uri: string } {
  return { type: table.text('type'), uri: table.text('uri') }
}
