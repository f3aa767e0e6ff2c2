import { SlipwayError } from '../../core/error.ts'
import type { Runner } from '../../core/runner.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { type Analyzed, writeAnalyzed } from '../../spec/files/analyzed.ts'
import { writeGroup } from '../../spec/files/group.ts'
import { type Order, parseOrder } from '../../spec/files/order.ts'
import { writePlan } from '../../spec/files/plan.ts'
import { optional } from '../../spec/files/source.ts'
import { parseSystem, type System } from '../../spec/files/system.ts'
import { type Detected, detect } from '../phases/detect.ts'
import { inStep } from '../phases/steps.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { guardDockerfiles } from './dockerfiles.ts'
import { act, actWithin, Failure, invalidArguments } from './failure.ts'
import { readAnalyzed, readOptional, readRequired, readRunFile, writeFile } from './files.ts'
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
    const orders = await readOrders(context)
    if (orders.order.orderExtensions.length > 0) guardDockerfiles(context)
    const runner = commandRunner(env)
    const detected = await runDetector(context, orders, analyzed, runner)
    if (detected.group.groupExtensions.length > 0) await runGenerator(context, detected, analyzed, runner)
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

/** What is to be detected: order.toml and system.toml. */
export interface Orders {
  readonly order: Order
  readonly system?: System
}

export async function readOrders({ inputs, root, platformApi, say }: StepContext): Promise<Orders> {
  const order = await actWithin('initialize detector', 'reading order: ', () =>
    readRequired(root, inputs.orderPath, 'order', parseOrder),
  )
  const system = await actWithin('initialize detector', 'reading system: ', () =>
    act('read system file', () => readOptional(root, inputs.systemPath, parseSystem)),
  )
  if (system === undefined && isAtLeast(platformApi, '0.15'))
    say('debug', `No system buildpacks found at path ${JSON.stringify(inputs.systemPath)}`)
  return { order, ...optional('system', system) }
}

/** Detects and writes group.toml and plan.toml; with a failure neither. */
export async function runDetector(
  context: StepContext,
  orders: Orders,
  analyzed: Analyzed,
  runner: Runner,
): Promise<Detected> {
  const { inputs, root, platformApi, emit } = context
  const target = analyzed.runImage?.target
  const detected = await actDetect(() =>
    detect(
      {
        ...orders,
        ...optional('target', target),
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

/** Runs the chosen extensions' bin/generate, and writes plan.toml without what they provide and analyzed.toml. */
async function runGenerator(
  { inputs, root, platformApi, emit, say }: StepContext,
  { group, plan }: Detected,
  analyzed: Analyzed,
  runner: Runner,
): Promise<void> {
  const run = await actWithin('initialize generator', '', () => readRunFile(root, inputs.runPath, say))
  // Most builds have no extensions.
  const { generate } = await import('../phases/generate.ts')
  const generated = await act('generate', () =>
    generate(
      {
        extensions: group.groupExtensions,
        plan,
        analyzed,
        run,
        appDir: pathOf(inputs.appDir),
        platformDir: pathOf(inputs.platformDir),
        buildConfigDir: pathOf(inputs.buildConfigDir),
        buildpacksDir: pathOf(inputs.buildpacksDir),
        extensionsDir: pathOf(inputs.extensionsDir),
        generatedDir: pathOf(inputs.generatedDir),
        ...(inputs.detectTimeout === 0 ? {} : { timeout: inputs.detectTimeout }),
      },
      { root, emit, platformApi, runner },
    ),
  )
  await writeFile(root, inputs.analyzedPath, 'analyzed file', writeAnalyzed(generated.analyzed))
  await writeFile(root, inputs.planPath, 'plan file', writePlan(generated.plan))
}
