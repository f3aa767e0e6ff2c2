/** `slipway/buildpack`: what authors of buildpacks import. */
export { SlipwayError } from '../../core/error.ts'
export type { Label, Slice } from '../../spec/files/launch.ts'
export type { LayerTypes } from '../../spec/files/layer.ts'
export type { Require } from '../../spec/files/require.ts'
export { type TomlTable, type TomlValue, tomlTable } from '../../spec/toml/value.ts'
export type { AppDirectory } from './app.ts'
export {
  type BuildContext,
  type BuildPlanInput,
  type Buildpack,
  type BuildResult,
  type DetectContext,
  type DetectResult,
  defineBuildpack,
  fail,
  type PlanInput,
  type ProcessInput,
  pass,
  type Target,
} from './buildpack.ts'
export type { CommandResult, Run, RunOptions } from './command.ts'
export { parseJsonObject } from './json.ts'
export type { EnvironmentChanges, EnvironmentScope, VariableChange } from './layer-environment.ts'
export type { Layer, LayerKey, LayerOutcome, LayerPlan, Layers } from './layers.ts'
export type { Log } from './log.ts'
export { type Invocation, main, runBuildpack } from './main.ts'
export type { Network } from './network.ts'
export type { Platform, PlatformBinding } from './platform.ts'
export { type Component, CYCLONE_DX_MEDIA_TYPE, type CycloneDx } from './sbom.ts'
export { bytePath, copyTree, hostBytes, type TreeEntry, walkTree } from './tree.ts'
export { userError } from './user-error.ts'
