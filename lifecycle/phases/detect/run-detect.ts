import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../../core/error.ts'
import type { Root } from '../../../core/root.ts'
import type { Runner, RunStatus } from '../../../core/runner.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import { BUILDPACK_ENV } from '../../../spec/environment.ts'
import { type BuildPlan, hasRequires, parseBuildPlan } from '../../../spec/files/build-plan.ts'
import { nameOfFile } from '../../../spec/names.ts'
import { type EnvFile, type Environment, programEnvironment } from '../../environment/variables.ts'
import type { Module } from './modules.ts'

/** What one bin/detect did. `code` is absent where it did not run to its end. */
export type DetectRun =
  | {
      readonly verdict: 'pass'
      readonly code?: number
      readonly output: Uint8Array
      readonly plan: BuildPlan
    }
  | { readonly verdict: 'fail'; readonly code: number; readonly output: Uint8Array }
  | {
      readonly verdict: 'error'
      readonly code?: number
      readonly output: Uint8Array
      readonly error?: string
    }

export interface DetectSettings {
  readonly root: Root
  readonly runner: Runner
  /** Where plan files are made: a directory of this phase alone. */
  readonly temporary: ContainerPath
  readonly appDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly base: Environment
  readonly user: readonly EnvFile[]
  readonly operator: readonly EnvFile[]
  /** `CNB_TARGET_…` */
  readonly targetVariables: Readonly<Record<string, string>>
  readonly execEnv: string
  readonly timeout?: number
}

const PASS = 0
const FAIL = 100
const NOTHING = new Uint8Array()

/**
 * Runs bin/detect of a module and reads its plan (cnb-spec §3.4). What the module does wrong is a verdict, not an error.
 * @param number tells the plan files of one phase apart.
 * @throws SlipwayError what the runner throws and is not the module's fault.
 */
export async function runDetect(
  module: Module,
  number: number,
  settings: DetectSettings,
): Promise<DetectRun> {
  const { root } = settings
  const program = joinPath(module.directory, 'bin', 'detect')
  if (module.kind === 'extension' && root.stat(program) === undefined) return prepared(root, module)

  const plan = joinPath(settings.temporary, String(number), 'plan.toml')
  root.write(plan, '', 0o600)
  const output = cappedOutput()
  let status: RunStatus
  try {
    status = await settings.runner.run(
      {
        program,
        args: [settings.platformDir, plan].map(nameOfFile),
        cwd: settings.appDir,
        env: environmentOf(module, plan, settings),
        ...(settings.timeout === undefined ? {} : { timeout: settings.timeout }),
      },
      output.add,
    )
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.class !== 'buildpack') throw error
    return { verdict: 'error', output: output.bytes(), error: errorChain(error) }
  }
  return judged(status, output.bytes(), () => readPlan(root, module, plan))
}

function judged(status: RunStatus, output: Uint8Array, plan: () => BuildPlan): DetectRun {
  switch (status.kind) {
    case 'timed-out':
      return { verdict: 'error', output, error: `bin/detect did not end within ${status.after} ms` }
    case 'signalled':
      return { verdict: 'error', output, error: `bin/detect was ended by ${status.signal}` }
    case 'exited':
      break
  }
  const { code } = status
  if (code === FAIL) return { verdict: 'fail', code, output }
  return code === PASS ? passed(plan, output, code) : { verdict: 'error', code, output }
}

/** Reads the plan of a module that said yes; one that cannot be used turns the verdict. */
function passed(plan: () => BuildPlan, output: Uint8Array, code?: number): DetectRun {
  try {
    return { verdict: 'pass', ...(code === undefined ? {} : { code }), output, plan: plan() }
  } catch (error) {
    return { verdict: 'error', output, error: errorChain(error) }
  }
}

/** DT-5: an extension without bin/detect passes with the plan that it brings, if any. */
function prepared(root: Root, module: Module): DetectRun {
  const plan = joinPath(module.directory, 'detect', 'plan.toml')
  const isThere = root.stat(plan) !== undefined
  return passed(() => (isThere ? readPlan(root, module, plan) : EMPTY_PLAN), NOTHING)
}

const EMPTY_PLAN: BuildPlan = { provides: [], requires: [], or: [] }
const MAX_PLAN_BYTES = 4 << 20

function readPlan(root: Root, module: Module, path: ContainerPath): BuildPlan {
  const file = nameOfFile(path)
  const state = root.stat(path)
  if (!state?.isFile()) throw new Error(`the plan ${file} is gone or no file`)
  if (state.size > MAX_PLAN_BYTES) throw new Error(`the plan ${file} is larger than ${MAX_PLAN_BYTES} bytes`)
  const plan = parseBuildPlan(root.readText(path) ?? '', { file, class: 'buildpack' })
  if (module.kind === 'extension' && hasRequires(plan)) {
    throw new Error(`extension ${module.info.id} outputs "requires" which is not allowed`)
  }
  return plan
}

function environmentOf(
  module: Module,
  plan: ContainerPath,
  settings: DetectSettings,
): Record<string, string> {
  const { apiVersion } = module
  const { buildpackDir, extensionDir, platformDir, buildPlanPath, execEnv } = BUILDPACK_ENV
  return programEnvironment({
    cumulative: settings.base,
    user: settings.user,
    operator: settings.operator,
    clearEnv: module.info.clearEnv,
    specified: {
      [module.kind === 'buildpack' ? buildpackDir : extensionDir]: nameOfFile(module.directory),
      ...(isAtLeast(apiVersion, '0.8') && {
        [platformDir]: nameOfFile(settings.platformDir),
        [buildPlanPath]: nameOfFile(plan),
      }),
      ...(isAtLeast(apiVersion, '0.10') && settings.targetVariables),
      ...(isAtLeast(apiVersion, '0.12') && { [execEnv]: settings.execEnv }),
    },
  })
}

const MAX_OUTPUT_BYTES = 1 << 20

/** Output is kept until its turn comes; a program that never stops talking must not fill the memory. */
function cappedOutput() {
  const chunks: Uint8Array[] = []
  let size = 0
  return {
    add: (chunk: Uint8Array) => {
      if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MAX_OUTPUT_BYTES - size))
      size += chunk.length
    },
    bytes: (): Uint8Array => {
      if (size > MAX_OUTPUT_BYTES) {
        chunks.push(Buffer.from(`\n[${size - MAX_OUTPUT_BYTES} more bytes left out]\n`))
      }
      return Buffer.concat(chunks)
    },
  }
}
