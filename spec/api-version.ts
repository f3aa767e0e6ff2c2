import { SlipwayError } from '../core/error.ts'
import { EXIT_CODES } from './exit-codes.ts'

/** A version of the Platform or Buildpack API (cnb-spec §1.2). Not semver: `0.10` is later than `0.9`, and 0.x match exactly. */
export interface ApiVersion {
  readonly major: bigint
  readonly minor: bigint
}

const VERSION = /^v?(\d+)\.?(\d*)$/
const UINT64_MAX = 2n ** 64n - 1n

/** Parses `0.12`, `v0.12`, `1` (`1.0`); undefined for anything else, also for numbers over 64 bits. */
export function readApiVersion(text: string): ApiVersion | undefined {
  const match = VERSION.exec(text)
  if (match === null) return undefined
  const major = BigInt(match[1] ?? '')
  const minor = BigInt(match[2] ?? '')
  return major > UINT64_MAX || minor > UINT64_MAX ? undefined : { major, minor }
}

/** @throws SlipwayError `SPEC_API_VERSION_INVALID` where {@link readApiVersion} gives undefined. */
export function parseApiVersion(text: string): ApiVersion {
  const version = readApiVersion(text)
  if (version !== undefined) return version
  throw new SlipwayError('SPEC_API_VERSION_INVALID', `could not parse '${text}' as an API version`, {
    subject: text,
    hint: 'An API version looks like 0.12.',
    class: 'usage',
  })
}

export function formatApiVersion(version: ApiVersion): string {
  return `${version.major}.${version.minor}`
}

/** Less than zero where `a` is the earlier one. */
export function compareApiVersions(a: ApiVersion, b: ApiVersion): number {
  if (a.major !== b.major) return a.major < b.major ? -1 : 1
  return a.minor === b.minor ? 0 : a.minor < b.minor ? -1 : 1
}

/** A version written out in the code. */
type VersionLiteral = `${number}.${number}`

/** Whether `version` is `least` or later: `isAtLeast(platformApi, '0.12')`. */
export function isAtLeast(version: ApiVersion, least: VersionLiteral): boolean {
  return compareApiVersions(version, parseApiVersion(least)) >= 0
}

/** V-2: the same version for 0.x; for later majors a minor that is not newer. */
export function isSupersetOf(supported: ApiVersion, requested: ApiVersion): boolean {
  if (supported.major !== requested.major) return false
  return supported.major === 0n ? supported.minor === requested.minor : supported.minor >= requested.minor
}

export const PLATFORM_APIS: readonly ApiVersion[] = range(7, 15)
export const BUILDPACK_APIS: readonly ApiVersion[] = range(7, 12)

function range(first: number, last: number): ApiVersion[] {
  return Array.from({ length: last - first + 1 }, (_, i) => ({ major: 0n, minor: BigInt(first + i) }))
}

/**
 * The Platform API to speak, from the text of `CNB_PLATFORM_API` (V-10 to V-12).
 * @throws SlipwayError `SPEC_PLATFORM_API_UNSET`, `SPEC_PLATFORM_API_INCOMPATIBLE`, both with exit code 11.
 */
export function negotiatePlatformApi(text: string | undefined): ApiVersion {
  const requested = text?.trim() ?? ''
  if (requested === '') {
    throw new SlipwayError(
      'SPEC_PLATFORM_API_UNSET',
      "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version",
      {
        subject: 'CNB_PLATFORM_API',
        hint: `This lifecycle speaks ${listed(PLATFORM_APIS)}.`,
        class: 'usage',
        exitCode: EXIT_CODES.platformApiIncompatible,
      },
    )
  }
  const version = readApiVersion(requested)
  if (version !== undefined && PLATFORM_APIS.some((api) => isSupersetOf(api, version))) return version
  throw new SlipwayError(
    'SPEC_PLATFORM_API_INCOMPATIBLE',
    version === undefined
      ? `failed to parse platform API '${requested}'`
      : `failed to set platform API: platform API version '${requested}' is incompatible with the lifecycle`,
    {
      subject: 'CNB_PLATFORM_API',
      hint: `Set CNB_PLATFORM_API to one of ${listed(PLATFORM_APIS)}.`,
      class: 'usage',
      exitCode: EXIT_CODES.platformApiIncompatible,
    },
  )
}

/**
 * The Buildpack API of one buildpack or extension (V-20, V-21).
 * @param kind as the message has it: `Buildpack`; the launcher's says `buildpack`.
 * @param name `a/b@1.2.3`
 * @throws SlipwayError `SPEC_BUILDPACK_API_INCOMPATIBLE` with exit code 12.
 */
export function negotiateBuildpackApi(text: string, kind: string, name: string): ApiVersion {
  const who = `${kind.toLowerCase()} '${name}'`
  const version = readApiVersion(text)
  if (version !== undefined && BUILDPACK_APIS.some((api) => isSupersetOf(api, version))) return version
  throw new SlipwayError(
    'SPEC_BUILDPACK_API_INCOMPATIBLE',
    version === undefined
      ? // The reference prints the version that it could not make, and suites look for that.
        `failed to parse buildpack API '<nil>' for ${who}: '${text}' is no API version`
      : `failed to set API for ${kind} '${name}': buildpack API version '${text}' is incompatible with the lifecycle`,
    {
      subject: who,
      hint: `This lifecycle runs buildpacks of API ${listed(BUILDPACK_APIS)}.`,
      class: 'buildpack',
      exitCode: EXIT_CODES.buildpackApiIncompatible,
    },
  )
}

function listed(versions: readonly ApiVersion[]): string {
  return versions.map(formatApiVersion).join(', ')
}

/** What happens where something deprecated or experimental is asked for. */
export type FeatureMode = 'error' | 'warn' | 'quiet'

/** `CNB_DEPRECATION_MODE` (V-30): `warn` where unset or unknown; `silent` means `quiet`. */
export function parseDeprecationMode(text: string | undefined): FeatureMode {
  return modeOf(text, 'warn')
}

/** `CNB_EXPERIMENTAL_MODE` (V-40): `error` where unset, `warn` for an unknown word; `silent` and `quiet` mean the same (AMB-1). */
export function parseExperimentalMode(text: string | undefined): FeatureMode {
  return modeOf(text, 'error')
}

function modeOf(text: string | undefined, unset: FeatureMode): FeatureMode {
  if (text === undefined || text === '') return unset
  if (text === 'error') return 'error'
  return text === 'quiet' || text === 'silent' ? 'quiet' : 'warn'
}

/**
 * Guards an experimental feature (`Dockerfiles`, `export to OCI layout format`). That it was asked for is told to `say`.
 * @throws SlipwayError `SPEC_EXPERIMENTAL_DISABLED` with exit code 1.
 */
export function requireExperimental(
  feature: string,
  mode: FeatureMode,
  say: (level: 'warn' | 'error', message: string) => void,
): void {
  const requested = `Platform requested experimental feature '${feature}'`
  if (mode === 'error') {
    say('error', requested)
    throw new SlipwayError(
      'SPEC_EXPERIMENTAL_DISABLED',
      `experimental features are disabled by CNB_EXPERIMENTAL_MODE=error: ${feature}`,
      { subject: feature, hint: 'Set CNB_EXPERIMENTAL_MODE=warn to use it.', class: 'usage' },
    )
  }
  if (mode === 'warn') say('warn', requested)
}
