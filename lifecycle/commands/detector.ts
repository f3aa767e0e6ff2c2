import { SlipwayError } from '../../core/error.ts'
import type { Runner } from '../../core/runner.ts'
import {
  type ApiVersion,
  isAtLeast,
  parseExperimentalMode,
  requireExperimental,
} from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import { writeGroup } from '../../spec/files/group.ts'
import { type Order, parseOrder } from '../../spec/files/order.ts'
import { writePlan } from '../../spec/files/plan.ts'
import { parseSystem } from '../../spec/files/system.ts'
import { type Detected, detect } from '../phases/detect.ts'
import { inStep } from '../phases/steps.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { act, actWithin, Failure, invalidArguments } from './failure.ts'
import { readAnalyzed, readOptional, readRequired, writeFile } from './files.ts'
import { type FlagName, pathOf, since } from './inputs.ts'
import { refuseRoot } from './privileges.ts'
import { commandRunner } from './runner.ts'

/** `detector` (cnb-spec §2.3). */
export const detector: Command = {
  name: 'detector',
  phase: 'detect',
  flags: detectorFlags,
  run: async (context) => {
    const { inputs, env, positionals, root, say } = context
    if (positionals.length > 0) throw invalidArguments('received unexpected arguments')
    say('debug', 'Ensuring privileges...')
    refuseRoot('detect')
    say('debug', 'Executing command...')
    const analyzed = await actWithin('initialize detector', '', () =>
      readAnalyzed(root, inputs.analyzedPath, say),
    )
    const { group } = await runDetector(context, analyzed, commandRunner(env))
    if (group.groupExtensions.length > 0) throw noGenerate()
  },
}

export const run = commandProgram(detector)

function detectorFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.15', 'system'),
    ...since(platformApi, '0.12', 'run'),
    ...since(platformApi, '0.11', 'build-config'),
    ...since(platformApi, '0.10', 'analyzed', 'extensions', 'generated'),
    ...(['app', 'buildpacks', 'group', 'layers', 'order', 'plan', 'platform', 'detect-timeout'] as const),
  ]
}

/** Detects and writes group.toml and plan.toml; with a failure neither. */
export async function runDetector(
  context: StepContext,
  analyzed: Analyzed,
  runner: Runner,
): Promise<Detected> {
  const { inputs, root, platformApi, emit } = context
  const order = await actWithin('initialize detector', 'reading order: ', () =>
    readRequired(root, inputs.orderPath, 'order', parseOrder),
  )
  guardExtensions(order, context)
  const system = await actWithin('initialize detector', 'reading system: ', () =>
    act('read system file', () => readOptional(root, inputs.systemPath, parseSystem)),
  )
  const target = analyzed.runImage?.target
  const detected = await actDetect(() =>
    detect(
      {
        order,
        ...(system === undefined ? {} : { system }),
        ...(target === undefined ? {} : { target }),
        appDir: pathOf(inputs.appDir),
        platformDir: pathOf(inputs.platformDir),
        buildConfigDir: pathOf(inputs.buildConfigDir),
        buildpacksDir: pathOf(inputs.buildpacksDir),
        extensionsDir: pathOf(inputs.extensionsDir),
        execEnv: inputs.execEnv,
        ...(inputs.detectConcurrency === 0 ? {} : { concurrency: inputs.detectConcurrency }),
        ...(inputs.detectTimeout === 0 ? {} : { timeout: inputs.detectTimeout }),
      },
      { root, emit, platformApi, runner },
    ),
  )
  await inStep(emit, 'detect', 'write group.toml', () =>
    writeFile(root, inputs.groupPath, 'group file', writeGroup(detected.group)),
  )
  await inStep(emit, 'detect', 'write plan.toml', () =>
    writeFile(root, inputs.planPath, 'plan file', writePlan(detected.plan)),
  )
  return detected
}

/** What is wrong with the order comes before detection, and says so. */
async function actDetect(work: () => Promise<Detected>): Promise<Detected> {
  try {
    return await work()
  } catch (error) {
    const isInitial = error instanceof SlipwayError && error.exitCode === EXIT_CODES.generic
    throw new Failure(isInitial ? 'initialize detector' : 'detect', error)
  }
}

function guardExtensions(order: Order, { platformApi, inputs, say }: StepContext): void {
  if (order.orderExtensions.length === 0 || isAtLeast(platformApi, '0.13')) return
  try {
    requireExperimental('Dockerfiles', parseExperimentalMode(inputs.experimentalMode), (message) =>
      say('warn', message),
    )
  } catch (error) {
    throw new Failure('use experimental features', error)
  }
}

function noGenerate(): Failure {
  return new Failure(
    'generate',
    new SlipwayError('LIFECYCLE_EXTENSIONS_UNSUPPORTED', 'the detected group has image extensions', {
      hint: 'This lifecycle detects image extensions and does not run them; use an order without them.',
      class: 'usage',
      exitCode: EXIT_CODES.generate,
    }),
  )
}
