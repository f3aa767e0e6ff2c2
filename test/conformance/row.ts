import type { Context } from './context.ts'

/**
 * The conformance table is made of checks and gaps: data with the id of a requirement (`V-10`, `BP-2`) in the checklist that
 * `ids.ts` lists. An id with a check is covered; one with a gap beside it is covered in part.
 */
export type Row = Check | Gap

/** A requirement that a test decides from outside: processes, their files, an image in a registry. */
export interface Check {
  readonly id: string
  readonly title: string
  /** Versions of the Platform API that it is run for; every one where absent. */
  readonly platformApis?: readonly string[]
  /** Versions of the Buildpack API that it is run for, each with the newest platform; only the newest where absent. */
  readonly buildpackApis?: readonly string[]
  /** Only root can see it: skipped, by name, for anybody else. */
  readonly needsRoot?: true
  run(context: Context): Promise<void>
}

/** A requirement without a check, and why. */
export interface Gap {
  readonly id: string
  /**
   * `later`: what it asks for is not there yet. `elsewhere`: other tests hold it. `none`: it asks for nothing that can be
   * observed. `open`: it could be checked, and is not yet.
   */
  readonly gap: 'later' | 'elsewhere' | 'none' | 'open'
  readonly reason: string
}

export const isCheck = (row: Row): row is Check => 'run' in row

export const PLATFORM_APIS = ['0.7', '0.8', '0.9', '0.10', '0.11', '0.12', '0.13', '0.14', '0.15'] as const
export const BUILDPACK_APIS = ['0.7', '0.8', '0.9', '0.10', '0.11', '0.12'] as const

export const NEWEST_PLATFORM_API = '0.15'
export const NEWEST_BUILDPACK_API = '0.12'

/** Whom the guarded registry lets in. */
export const USER = 'somebody'
export const PASSWORD = 'opensesame-3141'

const minor = (version: string): number => Number(version.split('.')[1])

/** 0.x versions by their number. */
export const isAtLeast = (version: string, least: string): boolean => minor(version) >= minor(least)

/** The versions of the Platform API from `least` on. */
export const platformsFrom = (least: string) => PLATFORM_APIS.filter((version) => isAtLeast(version, least))
export const platformsBefore = (least: string) =>
  PLATFORM_APIS.filter((version) => !isAtLeast(version, least))
export const buildpacksFrom = (least: string) => BUILDPACK_APIS.filter((version) => isAtLeast(version, least))
export const buildpacksBefore = (least: string) =>
  BUILDPACK_APIS.filter((version) => !isAtLeast(version, least))

/** A check is run once for each pair: its platforms with the newest buildpack, its buildpacks with the newest platform. */
export function variantsOf(check: Check): readonly { platformApi: string; buildpackApi: string }[] {
  const platformApis = check.platformApis ?? PLATFORM_APIS
  const buildpackApis = check.buildpackApis ?? [NEWEST_BUILDPACK_API]
  const newestPlatform = platformApis.at(-1) ?? NEWEST_PLATFORM_API
  const newestBuildpack = buildpackApis.at(-1) ?? NEWEST_BUILDPACK_API
  return [
    ...platformApis.map((platformApi) => ({ platformApi, buildpackApi: newestBuildpack })),
    ...buildpackApis.slice(0, -1).map((buildpackApi) => ({ platformApi: newestPlatform, buildpackApi })),
  ]
}

/** What a quick run takes: the oldest and the newest of each API. */
export function endsOf(check: Check): ReturnType<typeof variantsOf> {
  const variants = variantsOf(check)
  const buildpacks = check.buildpackApis ?? [NEWEST_BUILDPACK_API]
  const newest = variants.filter(({ buildpackApi }) => buildpackApi === buildpacks.at(-1))
  return [
    ...new Set([newest.at(0), newest.at(-1), variants.find((v) => v.buildpackApi === buildpacks[0])]),
  ].filter((variant) => variant !== undefined)
}

/** The newest version of each API that a check applies to. */
export function newestOf(check: Check): ReturnType<typeof variantsOf>[number] {
  return {
    platformApi: check.platformApis?.at(-1) ?? NEWEST_PLATFORM_API,
    buildpackApi: check.buildpackApis?.at(-1) ?? NEWEST_BUILDPACK_API,
  }
}
