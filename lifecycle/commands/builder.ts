import type { Runner } from '../../core/runner.ts'
import type { ApiVersion } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import { writeBuildMetadata } from '../../spec/files/metadata.ts'
import { type Plan, parsePlan } from '../../spec/files/plan.ts'
import { build } from '../phases/build.ts'
import { inStep } from '../phases/steps.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { act, invalidArguments } from './failure.ts'
import { readAnalyzed, readGroup, readRequired, writeFile } from './files.ts'
import { type FlagName, pathOf, since } from './inputs.ts'
import { refuseRoot } from './privileges.ts'
import { commandRunner } from './runner.ts'

/** `builder` (cnb-spec §2.6). */
export const builder: Command = {
  name: 'builder',
  phase: 'build',
  flags: builderFlags,
  run: async (context) => {
    const { inputs, env, positionals, root, say } = context
    if (positionals.length > 0) throw invalidArguments('received unexpected arguments')
    say('debug', 'Ensuring privileges...')
    refuseRoot('build')
    say('debug', 'Executing command...')
    const group = await readGroup(root, inputs.groupPath)
    const plan = await readRequired(root, inputs.planPath, 'plan', parsePlan)
    const analyzed = await readAnalyzed(root, inputs.analyzedPath, say)
    await runBuilder(context, { group, plan, analyzed }, commandRunner(env))
  },
}

export const run = commandProgram(builder)

function builderFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.12', 'analyzed'),
    ...since(platformApi, '0.11', 'build-config'),
    ...(['app', 'buildpacks', 'group', 'layers', 'plan', 'platform', 'build-timeout'] as const),
  ]
}

/** Builds and writes `<layers>/config/metadata.toml`. */
export async function runBuilder(
  context: StepContext,
  { group, plan, analyzed }: { readonly group: Group; readonly plan: Plan; readonly analyzed: Analyzed },
  runner: Runner,
): Promise<void> {
  const { inputs, root, platformApi, emit } = context
  const target = analyzed.runImage?.target
  const metadata = await act(
    'build',
    () =>
      build(
        {
          group,
          plan,
          ...(target === undefined ? {} : { target }),
          appDir: pathOf(inputs.appDir),
          layersDir: pathOf(inputs.layersDir),
          platformDir: pathOf(inputs.platformDir),
          buildConfigDir: pathOf(inputs.buildConfigDir),
          buildpacksDir: pathOf(inputs.buildpacksDir),
          execEnv: inputs.execEnv,
          ...(inputs.buildTimeout === 0 ? {} : { timeout: inputs.buildTimeout }),
        },
        { root, emit, platformApi, runner },
      ),
    EXIT_CODES.build,
  )
  const text = writeBuildMetadata(metadata, { platformApi })
  await inStep(emit, 'build', 'write metadata.toml', () =>
    writeFile(root, `${inputs.layersDir}/config/metadata.toml`, 'build metadata file', text),
  )
}
