import type { Reader } from '../decode.ts'
import { struct, type TomlStruct } from '../toml/write.ts'
import { optional, orAbsent } from './source.ts'

export interface Distro {
  readonly name: string
  readonly version: string
}

/** What a base image is: where a build's result will run. */
export interface TargetMetadata {
  /** Label `io.buildpacks.base.id`. */
  readonly id?: string
  readonly os: string
  readonly arch: string
  readonly archVariant?: string
  readonly distro?: Distro
}

/** What a buildpack or extension can build for; an empty field matches everything. */
export interface SupportedTarget {
  readonly os: string
  readonly arch: string
  readonly archVariant: string
  /** Empty: all. */
  readonly distros: readonly Distro[]
}

/** Reads `[run-image.target]`. */
export function readTarget(table: Reader): TargetMetadata {
  const distro = table.table('distro')
  return {
    ...optional('id', orAbsent(table.text('id'))),
    os: table.text('os'),
    arch: table.text('arch'),
    ...optional('archVariant', orAbsent(readVariant(table))),
    ...optional('distro', distro && readDistro(distro)),
  }
}

export function targetStruct(target: TargetMetadata): TomlStruct {
  return struct({
    id: target.id,
    os: target.os,
    arch: target.arch,
    'arch-variant': target.archVariant,
    distro: target.distro && distroStruct(target.distro),
  })
}

/** Reads one `[[targets]]` of a buildpack.toml or extension.toml. */
export function readSupportedTarget(table: Reader): SupportedTarget {
  return {
    os: table.text('os'),
    arch: table.text('arch'),
    archVariant: readVariant(table),
    distros: table.tables('distros').map(readDistro),
  }
}

export function supportedTargetStruct(target: SupportedTarget): TomlStruct {
  return struct({
    os: orAbsent(target.os),
    arch: orAbsent(target.arch),
    variant: orAbsent(target.archVariant),
    'arch-variant': orAbsent(target.archVariant),
    distros: target.distros.length === 0 ? undefined : target.distros.map(distroStruct),
  })
}

/** The spec says `variant`, the reference `arch-variant`: both are read (cnb-spec AMB-5). */
function readVariant(table: Reader): string {
  return table.text('arch-variant') || table.text('variant')
}

function readDistro(table: Reader): Distro {
  return { name: table.text('name'), version: table.text('version') }
}

function distroStruct({ name, version }: Distro): TomlStruct {
  return struct({ name, version })
}
