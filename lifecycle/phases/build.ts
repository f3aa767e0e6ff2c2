import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import { SlipwayError, systemDetails } from '../../core/error.ts'
import type { Runner } from '../../core/runner.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { byByteOrder } from '../../spec/byte-order.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { TargetMetadata } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import type { BuildMetadata } from '../../spec/files/metadata.ts'
import { formatModuleRef } from '../../spec/files/module-ref.ts'
import type { Plan } from '../../spec/files/plan.ts'
import { escapeId } from '../../spec/names.ts'
import type { PhaseContext } from '../context.ts'
import { readProgramVariables } from '../environment/program.ts'
import { readLayerEnvironment } from '../environment/read.ts'
import { applyLayer, type Environment } from '../environment/variables.ts'
import { type BuildOutputs, readOutputs } from './build/outputs.ts'
import { planAfter, planFor } from './build/plan.ts'
import { addProcesses, NO_PROCESSES } from './build/processes.ts'
import { type BuildSettings, runBuild } from './build/run-build.ts'
import { copySboms, writeLegacyBoms } from './build/sbom.ts'
import { type LookUp, moduleStore } from './detect/modules.ts'
import { inPhase, temporaryPath } from './in-phase.ts'
import { inStep } from './steps.ts'

/** What `build` needs to know (platform spec, builder). */
export interface BuildInputs {
  readonly group: Group
  readonly plan: Plan
  /** `run-image.target` of analyzed.toml; what is missing comes from the build image's /etc/os-release. */
  readonly target?: TargetMetadata
  readonly appDir: ContainerPath
  readonly layersDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly buildConfigDir: ContainerPath
  readonly buildpacksDir: ContainerPath
  /** CNB_EXEC_ENV; `production` where nobody said otherwise. */
  readonly execEnv: string
  /** Milliseconds after which one bin/build is ended; none when absent. */
  readonly timeout?: number
}

/**
 * Runs bin/build of the group's buildpacks in order and gathers what they contribute (buildpack spec §Phase #3: Build;
 * cnb-spec §4). Writes `<layers>/sbom`; the caller writes the value to `<layers>/config/metadata.toml`.
 * @throws SlipwayError `BUILD_BUILDPACK_FAILED`, `BUILD_TIMED_OUT` (exit 51); `SPEC_BUILDPACK_API_INCOMPATIBLE` (exit 12); others (exit 52).
 */
export function build(
  inputs: BuildInputs,
  context: PhaseContext & { readonly runner: Runner },
): Promise<BuildMetadata> {
  return inPhase(context.emit, 'build', async () => {
    const { root } = context
    const temporary = temporaryPath('build')
    try {
      root.remove(joinPath(inputs.layersDir, 'sbom'))
      root.mkdir(temporary)
      return await buildAll(
        inputs,
        { ...inputs, ...context, ...readProgramVariables(inputs, context), temporary },
        context,
      )
    } catch (error) {
      throw asBuildError(error)
    } finally {
      root.remove(temporary)
    }
  })
}

async function buildAll(
  inputs: BuildInputs,
  settings: BuildSettings,
  { root, emit, platformApi }: PhaseContext,
): Promise<BuildMetadata> {
  const lookUp = moduleStore(root, { buildpacks: inputs.buildpacksDir })
  const outputs: BuildOutputs[] = []
  let { plan } = inputs
  let environment = settings.base
  let processes = NO_PROCESSES
  for (const ref of inputs.group.group) {
    const done = await buildOne(ref, plan, environment, lookUp, settings)
    outputs.push(done.outputs)
    plan = done.plan
    environment = done.environment
    const added = addProcesses(processes, done.outputs.launch.processes)
    processes = added.processes
    if (added.warning !== undefined) emit({ type: 'warning', message: added.warning })
  }

  const launchBom = outputs.flatMap(({ boms }) => boms.launch)
  const boms = { launch: launchBom, build: outputs.flatMap((output) => output.boms.build) }
  const sboms = outputs.flatMap((output) => output.sboms)
  await inStep(emit, 'build', 'write SBOM', () => {
    if (isAtLeast(platformApi, '0.8')) copySboms(root, inputs.layersDir, sboms)
    if (isAtLeast(platformApi, '0.9')) writeLegacyBoms(root, inputs.layersDir, boms)
  })
  return {
    buildpacks: inputs.group.group,
    extensions: inputs.group.groupExtensions,
    labels: outputs.flatMap(({ launch }) => launch.labels),
    processes: [...processes.byType.values()].sort((a, b) => byByteOrder(a.type, b.type)),
    slices: outputs.flatMap(({ launch }) => launch.slices),
    ...(processes.defaultType === undefined ? {} : { defaultProcessType: processes.defaultType }),
    ...(isAtLeast(platformApi, '0.9') ? {} : { bom: launchBom }),
  }
}

async function buildOne(
  ref: Group['group'][number],
  plan: Plan,
  environment: Environment,
  lookUp: LookUp,
  settings: BuildSettings,
): Promise<{ readonly outputs: BuildOutputs; readonly plan: Plan; readonly environment: Environment }> {
  const { root, emit } = settings
  const module = lookUp('buildpack', ref)
  const directory = joinPath(settings.layersDir, escapeId(ref.id))
  const asked = planFor(plan, 'buildpack', ref.id)
  await inStep(emit, 'build', 'run bin/build', () =>
    runBuild(module, directory, asked, environment, settings),
  )
  const outputs = await inStep(emit, 'build', 'read outputs', () =>
    readOutputs(root, directory, module, emit),
  )
  const visible = outputs.layers.filter(({ types }) => types.build)
  return {
    outputs,
    plan: planAfter(plan, asked, outputs.unmet, formatModuleRef(ref)),
    environment: visible.reduce(
      (before, { path }) => applyLayer(before, readLayerEnvironment(root, path)),
      environment,
    ),
  }
}

function asBuildError(error: unknown): unknown {
  if (!(error instanceof SlipwayError)) {
    return new SlipwayError('BUILD_FAILED', 'the build could not go on', {
      cause: error,
      class: 'infrastructure',
      exitCode: EXIT_CODES.build,
      ...systemDetails(error),
    })
  }
  return error.exitCode === EXIT_CODES.generic ? error.withExitCode(EXIT_CODES.build) : error
}
