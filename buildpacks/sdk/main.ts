/** The program behind bin/detect and bin/build: reads what the lifecycle gives, calls the buildpack, writes what it says. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { writeBuildPlan } from '../../spec/files/build-plan.ts'
import { appDirectory } from './app.ts'
import { type Buildpack, type DetectContext, planSections } from './buildpack.ts'
import { type Inputs, readInputs, readTarget } from './inputs.ts'
import { createLog, type Log, type Write } from './log.ts'
import { platform } from './platform.ts'
import { renderError } from './user-error.ts'

/** What the program takes from its process; the fields of `process` by default. */
export interface Invocation {
  /** `detect` or `build`, then the arguments of the lifecycle. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The app directory. */
  readonly cwd: string
  /** Where buildpack.toml stands, for lifecycles that do not say. */
  readonly buildpackDir: string
  /** Architecture of the machine as Node names it. */
  readonly machine: string
  readonly write: Write
}

/** bin/detect of a buildpack that does not take part (buildpack spec). */
const REJECTED = 100

/**
 * Runs one phase of a buildpack. Failures are printed, never thrown.
 * @returns the exit code: 0, 100 for a buildpack that does not take part, anything else for a failure.
 */
export async function runBuildpack(buildpack: Buildpack, invocation: Invocation): Promise<number> {
  const debug = (invocation.env.BP_LOG_LEVEL ?? '').toUpperCase() === 'DEBUG'
  const log = createLog(invocation.write, debug)
  try {
    const inputs = readInputs(invocation.args, invocation.env)
    if (inputs.phase === 'detect') return await detect(buildpack, invocation, inputs, log)
    // bin/detect runs in every build, also of apps that the buildpack does not want: it starts without the code of a build.
    const { build } = await import('./build-phase.ts')
    await build(buildpack, commonContext(invocation, inputs.platformDir, log), inputs)
    return 0
  } catch (error) {
    invocation.write(renderError(error, debug))
    const code = error instanceof SlipwayError ? error.exitCode : 1
    return code === 0 || code === REJECTED ? 1 : code
  }
}

/** Runs a buildpack in this process: the last line of its entry file. */
export async function main(buildpack: Buildpack): Promise<void> {
  process.exitCode = await runBuildpack(buildpack, {
    args: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    buildpackDir: join(process.argv[1] ?? '.', '..'),
    machine: process.arch,
    write: (bytes) => void process.stdout.write(bytes),
  })
}

function commonContext(invocation: Invocation, platformDir: string, log: Log): DetectContext {
  const { env } = invocation
  return {
    app: appDirectory(invocation.cwd),
    env,
    platform: platform(platformDir, env),
    target: readTarget(env, invocation.machine),
    execEnv: env.CNB_EXEC_ENV || 'production',
    buildpackDir: env.CNB_BUILDPACK_DIR || invocation.buildpackDir,
    log,
  }
}

async function detect(
  buildpack: Buildpack,
  invocation: Invocation,
  inputs: Inputs & { readonly phase: 'detect' },
  log: Log,
): Promise<number> {
  const result = await buildpack.detect(commonContext(invocation, inputs.platformDir, log))
  if (!result.passed) {
    invocation.write(`${result.reason}\n`)
    return REJECTED
  }
  const { or = [] } = result.plan
  await writeFile(inputs.planPath, writeBuildPlan({ ...planSections(result.plan), or: or.map(planSections) }))
  return 0
}
