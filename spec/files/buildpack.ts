import { isAtLeast, readApiVersion } from '../api-version.ts'
import type { Reader } from '../decode.ts'
import type { TomlTable } from '../toml/value.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { type OrderGroup, orderStructs, readOrderGroups } from './order.ts'
import { readMetadata } from './require.ts'
import { type FileSource, orAbsent, readDocument, someOrAbsent } from './source.ts'
import { readSupportedTarget, type SupportedTarget, supportedTargetStruct } from './target.ts'

/** What buildpacks and extensions say of themselves; texts are empty where missing. */
export interface ModuleInfo extends ModuleRef {
  readonly name: string
  readonly homepage: string
  readonly description: string
  readonly keywords: readonly string[]
  readonly licenses: readonly { readonly type: string; readonly uri: string }[]
  /** Whether users' variables stay out of its environment. */
  readonly clearEnv: boolean
  /** Execution environments it can work in (Buildpack API 0.12); empty: all. */
  readonly execEnv: readonly string[]
}

export interface StackSupport {
  readonly id: string
  readonly mixins: readonly string[]
}

/** buildpack.toml (cnb-spec §2.11). */
export interface BuildpackDescriptor {
  /** As written; check it with `negotiateBuildpackApi`. */
  readonly api: string
  readonly buildpack: ModuleInfo & {
    /** Media types of the SBOM files it writes. */
    readonly sbomFormats: readonly string[]
  }
  /** Not empty: a composite. */
  readonly order: readonly OrderGroup[]
  readonly targets: readonly SupportedTarget[]
  /** Deprecated. */
  readonly stacks: readonly StackSupport[]
  readonly metadata?: TomlTable
}

/** extension.toml (image extension spec). */
export interface ExtensionDescriptor {
  readonly api: string
  readonly extension: ModuleInfo
  readonly targets: readonly SupportedTarget[]
  readonly metadata?: TomlTable
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuildpackDescriptor(text: string, source: FileSource): BuildpackDescriptor {
  const document = readDocument(text, source)
  const buildpack = document.table('buildpack') ?? missing(document, 'buildpack')
  return {
    api: document.text('api'),
    buildpack: { ...readInfo(buildpack), sbomFormats: buildpack.strings('sbom-formats') ?? [] },
    order: readOrderGroups(document, 'order'),
    targets: document.tables('targets').map(readSupportedTarget),
    stacks: document.tables('stacks').map((stack) => ({
      id: stack.text('id'),
      mixins: stack.strings('mixins') ?? [],
    })),
    ...readMetadata(document),
  }
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseExtensionDescriptor(text: string, source: FileSource): ExtensionDescriptor {
  const document = readDocument(text, source)
  return {
    api: document.text('api'),
    extension: readInfo(document.table('extension') ?? missing(document, 'extension')),
    targets: document.tables('targets').map(readSupportedTarget),
    ...readMetadata(document),
  }
}

export function writeBuildpackDescriptor(descriptor: BuildpackDescriptor): string {
  const { api, buildpack, order, targets, stacks, metadata } = descriptor
  return writeToml(
    struct({
      api,
      buildpack: struct({ ...infoFields(buildpack), 'sbom-formats': someOrAbsent(buildpack.sbomFormats) }),
      order: someOrAbsent(orderStructs(order)),
      targets: someOrAbsent(targets.map(supportedTargetStruct)),
      stacks: someOrAbsent(stacks.map(({ id, mixins }) => struct({ id, mixins: someOrAbsent(mixins) }))),
      metadata,
    }),
  )
}

export function writeExtensionDescriptor(descriptor: ExtensionDescriptor): string {
  const { api, extension, targets, metadata } = descriptor
  return writeToml(
    struct({
      api,
      extension: struct(infoFields(extension)),
      targets: someOrAbsent(targets.map(supportedTargetStruct)),
      metadata,
    }),
  )
}

/**
 * Whether a module works in an execution environment (cnb-spec §3.3): one that names none, or of an API before 0.12, works in all.
 */
export function supportsExecEnv(api: string, module: ModuleInfo, environment: string): boolean {
  const version = readApiVersion(api)
  if (version === undefined || !isAtLeast(version, '0.12') || module.execEnv.length === 0) return true
  return module.execEnv.includes('*') || module.execEnv.includes(environment)
}

function readInfo(table: Reader): ModuleInfo {
  return {
    ...readModuleRef(table),
    name: table.text('name'),
    homepage: table.text('homepage'),
    description: table.text('description'),
    keywords: table.strings('keywords') ?? [],
    licenses: table.tables('licenses').map((license) => ({
      type: license.text('type'),
      uri: license.text('uri'),
    })),
    clearEnv: table.flag('clear-env'),
    execEnv: readExecEnv(table),
  }
}

/** The reference has an array of strings, the spec an array of tables with a name (cnb-spec AMB-6). */
function readExecEnv(table: Reader): readonly string[] {
  const found = table.value('exec-env')
  const areTables = Array.isArray(found) && found.every((item) => typeof item === 'object')
  return areTables
    ? table.tables('exec-env').map((entry) => entry.string('name'))
    : (table.strings('exec-env') ?? [])
}

function infoFields(info: ModuleInfo) {
  return {
    id: info.id,
    name: orAbsent(info.name),
    version: info.version,
    homepage: orAbsent(info.homepage),
    'clear-env': info.clearEnv || undefined,
    description: orAbsent(info.description),
    keywords: someOrAbsent(info.keywords),
    'exec-env': someOrAbsent(info.execEnv),
    licenses: someOrAbsent(info.licenses.map(licenseStruct)),
  }
}

function licenseStruct({ type, uri }: { readonly type: string; readonly uri: string }): TomlStruct {
  return struct({ type: orAbsent(type), uri: orAbsent(uri) })
}

function missing(document: Reader, key: string): never {
  throw document.invalid(key, 'expected a table, found nothing')
}
