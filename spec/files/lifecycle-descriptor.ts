import { BUILDPACK_APIS, formatApiVersion, PLATFORM_APIS } from '../api-version.ts'
import type { Reader } from '../decode.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type FileSource, readDocument } from './source.ts'

export interface ApiSet {
  readonly deprecated: readonly string[]
  readonly supported: readonly string[]
}

/** Also the JSON of label `io.buildpacks.lifecycle.apis`. */
export interface LifecycleApis {
  readonly buildpack: ApiSet
  readonly platform: ApiSet
}

/** lifecycle.toml (cnb-spec §1.9): what a lifecycle can do, for who builds a builder with it. */
export interface LifecycleDescriptor {
  readonly version: string
  /** Media types. */
  readonly sbomFormats: readonly string[]
  readonly apis: LifecycleApis
}

/** The APIs of this lifecycle. */
export const LIFECYCLE_APIS: LifecycleApis = {
  buildpack: { deprecated: [], supported: BUILDPACK_APIS.map(formatApiVersion) },
  platform: { deprecated: [], supported: PLATFORM_APIS.map(formatApiVersion) },
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseLifecycleDescriptor(text: string, source: FileSource): LifecycleDescriptor {
  const document = readDocument(text, source)
  const lifecycle = document.table('lifecycle')
  const apis = document.table('apis')
  return {
    version: lifecycle?.text('version') ?? '',
    sbomFormats: lifecycle?.strings('sbom-formats') ?? [],
    apis: { buildpack: readApiSet(apis?.table('buildpack')), platform: readApiSet(apis?.table('platform')) },
  }
}

export function writeLifecycleDescriptor(descriptor: LifecycleDescriptor): string {
  const { buildpack, platform } = descriptor.apis
  return writeToml(
    struct({
      apis: struct({ buildpack: apiSetStruct(buildpack), platform: apiSetStruct(platform) }),
      // RFC 0011, for platforms that know no sets: the lowest version of each.
      api: struct({ platform: platform.supported[0] ?? '', buildpack: buildpack.supported[0] ?? '' }),
      lifecycle: struct({ version: descriptor.version, 'sbom-formats': descriptor.sbomFormats }),
    }),
  )
}

export function readApiSet(table: Reader | undefined): ApiSet {
  return { deprecated: table?.strings('deprecated') ?? [], supported: table?.strings('supported') ?? [] }
}

function apiSetStruct({ deprecated, supported }: ApiSet): TomlStruct {
  return struct({ deprecated, supported })
}
