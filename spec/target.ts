import { isAtLeast, readApiVersion } from './api-version.ts'
import { BUILDPACK_ENV } from './environment.ts'
import type { BuildpackDescriptor, ExtensionDescriptor } from './files/buildpack.ts'
import { optional } from './files/source.ts'
import type { Distro, SupportedTarget, TargetMetadata } from './files/target.ts'
import { LABELS } from './labels/names.ts'

/** Target matching (platform spec; cnb-spec §3.2). */

/** What a base image says of itself. */
export function targetOfImage(config: {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly config?: { readonly Labels?: Readonly<Record<string, string>> | null }
}): TargetMetadata {
  const labels = config.config?.Labels ?? {}
  const name = labels[LABELS.baseDistroName]
  const version = labels[LABELS.baseDistroVersion]
  const isKnown = name !== undefined || version !== undefined
  return {
    ...optional('id', labels[LABELS.baseId] || undefined),
    os: config.os,
    arch: config.architecture,
    ...optional('archVariant', config.variant || undefined),
    ...optional('distro', isKnown ? { name: name ?? '', version: version ?? '' } : undefined),
  }
}

/** `ID` and `VERSION_ID` of an os-release file; undefined where it has neither. Quotes go, comments and other keys too. */
export function distroOfOsRelease(text: string): Distro | undefined {
  let name = ''
  let version = ''
  for (const line of text.split('\n')) {
    const match = /^(ID|VERSION_ID)=(.*)$/.exec(line.trim())
    const value = (match?.[2] ?? '').replace(/^["' ]+|["' ]+$/g, '')
    if (match?.[1] === 'ID' && name === '') name = value
    if (match?.[1] === 'VERSION_ID' && version === '') version = value
  }
  return name === '' && version === '' ? undefined : { name, version }
}

/**
 * T-1: the target with what the build image knows where the run image says nothing: its distribution, linux, and the
 * machine's architecture (in Go's words: `amd64`).
 */
export function completeTarget(
  target: TargetMetadata | undefined,
  known: { readonly distro: Distro | undefined; readonly arch: string },
): TargetMetadata {
  const base = target ?? { os: '', arch: '' }
  if (base.distro !== undefined) return base
  return {
    ...base,
    os: base.os || 'linux',
    arch: base.arch || known.arch,
    ...optional('distro', known.distro),
  }
}

/** T-2: whether one supported target fits a base. An empty field of either side fits everything. */
export function matchesTarget(base: TargetMetadata, supported: SupportedTarget): boolean {
  const matches = (a: string | undefined, b: string | undefined) => !a || !b || a === b
  if (!matches(base.os, supported.os)) return false
  if (!matches(base.arch, supported.arch)) return false
  if (!matches(base.archVariant, supported.archVariant)) return false
  if (supported.distros.length === 0) return true
  const { distro } = base
  return (
    distro !== undefined &&
    supported.distros.some(
      ({ name, version }) => matches(distro.name, name) && matches(distro.version, version),
    )
  )
}

/** Whether any of a module's targets fits. */
export function matchesAnyTarget(base: TargetMetadata, supported: readonly SupportedTarget[]): boolean {
  return supported.some((target) => matchesTarget(base, target))
}

const ANY: SupportedTarget = { os: '', arch: '', archVariant: '', distros: [] }
const LINUX: SupportedTarget = { ...ANY, os: 'linux' }
const BIONIC_ID = 'io.buildpacks.stacks.bionic'
const BIONIC: SupportedTarget = {
  ...LINUX,
  arch: 'amd64',
  distros: [{ name: 'ubuntu', version: '18.04' }],
}

/**
 * T-3: the targets of a buildpack; inferred from its stacks, then from the names in its bin directory, where it names none.
 * @param binFiles names of the files in its `bin`; empty where there is no such directory
 */
export function targetsOfBuildpack(
  descriptor: BuildpackDescriptor,
  binFiles: readonly string[],
): readonly SupportedTarget[] {
  if (descriptor.targets.length > 0) return descriptor.targets
  const api = readApiVersion(descriptor.api)
  const takesBionic = descriptor.stacks.length === 1 || (api !== undefined && isAtLeast(api, '0.10'))
  const inferred = descriptor.stacks.flatMap(({ id }) => {
    if (id === BIONIC_ID) return takesBionic ? [BIONIC] : []
    return id === '*' ? [ANY] : []
  })
  if (inferred.length > 0) return inferred
  return binFiles.includes('build') ? [LINUX] : []
}

/** T-3 for an extension: linux where it has a program, else any. */
export function targetsOfExtension(
  descriptor: ExtensionDescriptor,
  binFiles: readonly string[],
): readonly SupportedTarget[] {
  if (descriptor.targets.length > 0) return descriptor.targets
  return [binFiles.includes('detect') || binFiles.includes('generate') ? LINUX : ANY]
}

/** RB-7: whether a new run image may replace the base of an app; a field that the new one leaves out fits. */
export function matchesForRebase(next: TargetMetadata, app: TargetMetadata): boolean {
  if (next.os !== app.os || next.arch !== app.arch) return false
  if (next.archVariant && app.archVariant && next.archVariant !== app.archVariant) return false
  if (next.distro === undefined) return true
  const { name, version } = next.distro
  return (
    app.distro !== undefined &&
    (name === '' || name === app.distro.name) &&
    (version === '' || version === app.distro.version)
  )
}

/** The variables `CNB_TARGET_*` (BU-3); the optional ones only where they are known. */
export function targetVariables(target: TargetMetadata): Readonly<Record<string, string>> {
  const known = (name: string, value: string | undefined) => (value ? { [name]: value } : {})
  return {
    [BUILDPACK_ENV.targetOs]: target.os,
    [BUILDPACK_ENV.targetArch]: target.arch,
    ...known(BUILDPACK_ENV.targetArchVariant, target.archVariant),
    ...known(BUILDPACK_ENV.targetDistroName, target.distro?.name),
    ...known(BUILDPACK_ENV.targetDistroVersion, target.distro?.version),
  }
}

/** A target as the reference's messages show it. */
export function formatTarget(target: TargetMetadata): string {
  const { id, os, arch, archVariant, distro } = target
  return JSON.stringify({ id, os, arch, 'arch-variant': archVariant, distro })
}
