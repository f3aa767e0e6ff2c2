import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import type { Runner } from '../../../core/runner.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import { BUILDPACK_ENV } from '../../../spec/environment.ts'
import { EXIT_CODES } from '../../../spec/exit-codes.ts'
import { type BuildpackPlan, writeBuildpackPlan } from '../../../spec/files/buildpack-plan.ts'
import { formatModuleRef } from '../../../spec/files/module-ref.ts'
import { nameOfFile } from '../../../spec/names.ts'
import type { ProgramVariables } from '../../environment/program.ts'
import { type Environment, programEnvironment } from '../../environment/variables.ts'
import type { Module } from '../detect/modules.ts'
import { failureOf, type ProgramFailure } from '../program-failure.ts'

export interface BuildSettings extends ProgramVariables {
  readonly root: Root
  readonly runner: Runner
  readonly emit: Emit
  /** Where plan files are made: a directory of this phase alone. */
  readonly temporary: ContainerPath
  readonly appDir: ContainerPath
  readonly layersDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly execEnv: string
  readonly timeout?: number
}

/**
 * Runs bin/build of a buildpack (cnb-spec BU-1 to BU-3); its output becomes events as it comes.
 * @param directory the buildpack's own directory for layers, `<layers>/<id>`
 * @param environment what the buildpacks before it have left
 * @throws SlipwayError `BUILD_BUILDPACK_FAILED`, `BUILD_TIMED_OUT` (exit 51)
 */
export async function runBuild(
  module: Module,
  directory: ContainerPath,
  asked: BuildpackPlan,
  environment: Environment,
  settings: BuildSettings,
): Promise<void> {
  const { root, emit } = settings
  const { id, version } = module.info
  root.mkdir(directory)
  const plan = joinPath(settings.temporary, directory.slice(directory.lastIndexOf('/')), 'plan.toml')
  root.write(plan, writeBuildpackPlan(asked))

  const start = performance.now()
  emit({ type: 'buildpack-started', buildpack: { id, version } })
  const failure = await failureOf(() =>
    settings.runner.run(
      {
        program: joinPath(module.directory, 'bin', 'build'),
        args: [directory, settings.platformDir, plan].map(nameOfFile),
        cwd: settings.appDir,
        env: environmentOf(module, directory, plan, environment, settings),
        ...(settings.timeout === undefined ? {} : { timeout: settings.timeout }),
      },
      (chunk, stream) => emit({ type: 'build-output', buildpack: { id, version }, chunk, stream }),
    ),
  )
  emit({
    type: 'buildpack-finished',
    buildpack: { id, version },
    milliseconds: performance.now() - start,
    ...(failure === undefined ? {} : { reason: failure.reason }),
  })
  if (failure !== undefined) throw failure.isLate ? timedOut(module, failure) : failed(module, failure)
}

function failed(module: Module, { reason, hint }: ProgramFailure): SlipwayError {
  const name = formatModuleRef(module.info)
  return new SlipwayError('BUILD_BUILDPACK_FAILED', `bin/build of ${name}: ${reason}`, {
    subject: name,
    class: 'buildpack',
    exitCode: EXIT_CODES.buildpackFailed,
    hint: hint ?? 'Look at the last lines of its output.',
  })
}

function timedOut(module: Module, { reason }: ProgramFailure): SlipwayError {
  const name = formatModuleRef(module.info)
  return new SlipwayError('BUILD_TIMED_OUT', `bin/build of ${name}: ${reason}`, {
    subject: name,
    hint: 'Its output shows what it waited for; -build-timeout and SLIPWAY_BUILD_TIMEOUT set the time.',
    class: 'buildpack',
    exitCode: EXIT_CODES.buildpackFailed,
  })
}

function environmentOf(
  module: Module,
  directory: ContainerPath,
  plan: ContainerPath,
  environment: Environment,
  settings: BuildSettings,
): Record<string, string> {
  const { apiVersion } = module
  const { buildpackDir, platformDir, buildpackPlanPath, layersDir, execEnv } = BUILDPACK_ENV
  return programEnvironment({
    cumulative: environment,
    user: settings.user,
    operator: settings.operator,
    clearEnv: module.info.clearEnv,
    specified: {
      [buildpackDir]: nameOfFile(module.directory),
      ...(isAtLeast(apiVersion, '0.8') && {
        [platformDir]: nameOfFile(settings.platformDir),
        [buildpackPlanPath]: nameOfFile(plan),
        [layersDir]: nameOfFile(directory),
      }),
      ...(isAtLeast(apiVersion, '0.10') && settings.targetVariables),
      ...(isAtLeast(apiVersion, '0.12') && { [execEnv]: settings.execEnv }),
    },
  })
}
