import { monotonicNow } from '../../../core/clock.ts'
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
import { programEnvironment } from '../../environment/variables.ts'
import type { Module } from '../detect/modules.ts'
import { failureOf, type ProgramFailure } from '../program-failure.ts'

export interface GenerateSettings extends ProgramVariables {
  readonly root: Root
  readonly runner: Runner
  readonly emit: Emit
  /** Where plan files are made: a directory of this phase alone. */
  readonly temporary: ContainerPath
  readonly appDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly timeout?: number
}

/**
 * Runs bin/generate of an extension (cnb-spec IX-10, IX-11); its output becomes events as it comes.
 * @param output the directory that it writes to
 * @throws SlipwayError `GENERATE_EXTENSION_FAILED` (exit 91)
 */
export async function runGenerate(
  module: Module,
  output: ContainerPath,
  asked: BuildpackPlan,
  settings: GenerateSettings,
): Promise<void> {
  const { root, emit } = settings
  const { id, version } = module.info
  const plan = joinPath(settings.temporary, output.slice(output.lastIndexOf('/')), 'plan.toml')
  root.write(plan, writeBuildpackPlan(asked))
  const start = monotonicNow()
  emit({ type: 'extension-started', extension: { id, version } })
  const failure = await failureOf(() =>
    settings.runner.run(
      {
        program: joinPath(module.directory, 'bin', 'generate'),
        args: [output, settings.platformDir, plan].map(nameOfFile),
        cwd: settings.appDir,
        env: environmentOf(module, output, plan, settings),
        ...(settings.timeout === undefined ? {} : { timeout: settings.timeout }),
      },
      (chunk, stream) => emit({ type: 'generate-output', extension: { id, version }, chunk, stream }),
    ),
  )
  emit({
    type: 'extension-finished',
    extension: { id, version },
    milliseconds: monotonicNow() - start,
    ...(failure === undefined ? {} : { reason: failure.reason }),
  })
  if (failure !== undefined) throw failed(module, failure)
}

function failed(module: Module, { reason, hint }: ProgramFailure): SlipwayError {
  const name = formatModuleRef(module.info)
  return new SlipwayError('GENERATE_EXTENSION_FAILED', `bin/generate of ${name}: ${reason}`, {
    subject: name,
    class: 'buildpack',
    exitCode: EXIT_CODES.extensionFailed,
    ...(hint === undefined ? {} : { hint }),
  })
}

function environmentOf(
  module: Module,
  output: ContainerPath,
  plan: ContainerPath,
  settings: GenerateSettings,
): Record<string, string> {
  const { buildpackPlanPath, extensionDir, outputDir, platformDir } = BUILDPACK_ENV
  return programEnvironment({
    cumulative: settings.base,
    user: settings.user,
    operator: settings.operator,
    clearEnv: module.info.clearEnv,
    specified: {
      [buildpackPlanPath]: nameOfFile(plan),
      [extensionDir]: nameOfFile(module.directory),
      [outputDir]: nameOfFile(output),
      [platformDir]: nameOfFile(settings.platformDir),
      ...(isAtLeast(module.apiVersion, '0.10') && settings.targetVariables),
    },
  })
}
