/** What an author of a buildpack writes, and what the two functions are given (buildpack spec). */

import type { PlanSections } from '../../spec/files/build-plan.ts'
import type { Label, Slice } from '../../spec/files/launch.ts'
import type { Require } from '../../spec/files/require.ts'
import type { TomlTable } from '../../spec/toml/value.ts'
import type { AppDirectory } from './app.ts'
import type { Run } from './command.ts'
import type { Layers } from './layers.ts'
import type { Log } from './log.ts'
import type { Network } from './network.ts'
import type { Platform } from './platform.ts'
import type { CycloneDx } from './sbom.ts'

/** A buildpack: whether it takes part, and what it does. */
export interface Buildpack {
  /** Looks at the app and says {@link pass} or {@link fail}. Must be quick and change nothing. */
  detect(context: DetectContext): Promise<DetectResult> | DetectResult
  /** Builds layers and says what is started. */
  build(context: BuildContext): Promise<BuildResult> | BuildResult
}

/** Gives the buildpack back: the types of both functions come from here. */
export function defineBuildpack(buildpack: Buildpack): Buildpack {
  return buildpack
}

export interface Target {
  readonly os: string
  /** `amd64`, `arm64` … */
  readonly arch: string
  readonly variant?: string
  readonly distro?: { readonly name: string; readonly version: string }
}

interface Context {
  readonly app: AppDirectory
  /** The variables of this process, the user's among them unless buildpack.toml says `clear-env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: Platform
  readonly target: Target
  /** `production` unless the platform says otherwise (Buildpack API 0.12). */
  readonly execEnv: string
  /** Where buildpack.toml stands. */
  readonly buildpackDir: string
  readonly log: Log
}

export interface DetectContext extends Context {}

export interface BuildContext extends Context {
  /** What is asked of this buildpack: the requirements under names that it provides. */
  readonly plan: readonly Require[]
  readonly layers: Layers
  /** store.toml of the last build. */
  readonly store: TomlTable
  readonly network: Network
  /** Runs a program; its output goes live into the log. */
  readonly run: Run
  /** A directory that is removed after the build. */
  temporary(): Promise<string>
}

export type DetectResult =
  | { readonly passed: true; readonly plan: BuildPlanInput }
  | { readonly passed: false; readonly reason: string }

/** Names alone, or with metadata. */
export interface PlanInput {
  readonly provides?: readonly string[]
  readonly requires?: readonly (string | Require)[]
}

export interface BuildPlanInput extends PlanInput {
  /** Alternatives, tried in order after the plan itself. */
  readonly or?: readonly PlanInput[]
}

/** Takes part in the build. */
export function pass(plan: BuildPlanInput = {}): DetectResult {
  return { passed: true, plan }
}

/** Does not take part; the reason is shown to people whose app nobody wants (exit code 100). */
export function fail(reason: string): DetectResult {
  return { passed: false, reason }
}

export function planSections(input: PlanInput): PlanSections {
  return {
    provides: (input.provides ?? []).map((name) => ({ name })),
    requires: (input.requires ?? []).map((require) =>
      typeof require === 'string' ? { name: require } : require,
    ),
  }
}

/** A process of the image. */
export interface ProcessInput {
  readonly type: string
  /** Program and the arguments it always gets; no shell is between. */
  readonly command: readonly [string, ...string[]]
  /** Arguments that the user may replace. */
  readonly args?: readonly string[]
  readonly default?: boolean
  /** Absent: the app directory. */
  readonly workingDirectory?: string
}

/** What a build says besides its layers: launch.toml, build.toml, store.toml and SBOMs of no layer. */
export interface BuildResult {
  readonly processes?: readonly ProcessInput[]
  readonly labels?: readonly Label[]
  readonly slices?: readonly Slice[]
  /** Names of the plan that a later buildpack shall get. */
  readonly unmet?: readonly string[]
  readonly store?: TomlTable
  /** Of what lies in the app directory, or was used to build. */
  readonly sbom?: { readonly launch?: CycloneDx; readonly build?: CycloneDx }
}
