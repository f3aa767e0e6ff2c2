import { availableParallelism } from 'node:os'
import type { ContainerPath } from '../../core/container-path.ts'
import { SlipwayError, systemDetails } from '../../core/error.ts'
import type { Runner } from '../../core/runner.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { TargetMetadata } from '../../spec/files/analyzed.ts'
import { supportsExecEnv } from '../../spec/files/buildpack.ts'
import type { Group } from '../../spec/files/group.ts'
import type { Order, OrderElement } from '../../spec/files/order.ts'
import type { Plan } from '../../spec/files/plan.ts'
import type { System } from '../../spec/files/system.ts'
import type { PhaseContext } from '../context.ts'
import { readProgramVariables } from '../environment/program.ts'
import { expandOrder, mergeSystem } from './detect/expand-order.ts'
import { detectGroup } from './detect/group.ts'
import { type LookUp, type Module, moduleStore } from './detect/modules.ts'
import { detectRuns } from './detect/runs.ts'
import { inPhase, temporaryPath } from './in-phase.ts'
import { inStep } from './steps.ts'

/** What `detect` needs to know (platform spec, detector). */
export interface DetectInputs {
  /** order.toml with its `[[order-extensions]]`. */
  readonly order: Order
  /** system.toml; merged into every group from Platform API 0.15. */
  readonly system?: System
  /** `run-image.target` of analyzed.toml; what is missing comes from the build image's /etc/os-release. */
  readonly target?: TargetMetadata
  readonly appDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly buildConfigDir: ContainerPath
  readonly buildpacksDir: ContainerPath
  readonly extensionsDir: ContainerPath
  /** CNB_EXEC_ENV; `production` where nobody said otherwise. */
  readonly execEnv: string
  /** Milliseconds after which one bin/detect is ended; none when absent. */
  readonly timeout?: number
  /** How many bin/detect run at once; the number of cores when absent. */
  readonly concurrency?: number
}

export interface Detected {
  readonly group: Group
  readonly plan: Plan
}

/**
 * Finds the first group of buildpacks whose members all want to take part and whose build plan works out (buildpack spec
 * §Phase #1: Detection; cnb-spec §3). Nothing is written but below `/tmp`.
 * @throws SlipwayError `DETECT_NO_GROUP` (exit 20), `DETECT_BUILDPACK_ERROR` (exit 21); `DETECT_ORDER_CYCLE`,
 * `DETECT_PLAN_TOO_COMPLEX` and others (exit 22); `LIFECYCLE_MODULE_MISSING` and unreadable descriptors of the order's own
 * members (exit 1); `SPEC_BUILDPACK_API_INCOMPATIBLE` (exit 12).
 */
export function detect(
  inputs: DetectInputs,
  context: PhaseContext & { readonly runner: Runner },
): Promise<Detected> {
  const say = (message: string) => context.emit({ type: 'debug', message })
  const order = isAtLeast(context.platformApi, '0.15')
    ? { ...inputs.order, order: mergeSystem(inputs.order.order, inputs.system, say) }
    : inputs.order
  return inPhase(context.emit, 'detect', async () => {
    const lookUp = moduleStore(context.root, {
      buildpacks: inputs.buildpacksDir,
      extensions: inputs.extensionsDir,
    })
    await inStep(context.emit, 'detect', 'look up buildpacks', () => lookUpAll(order, lookUp))
    const temporary = temporaryPath('detect')
    try {
      context.root.mkdir(temporary)
      return await firstGroup(order, lookUp, temporary, inputs, context)
    } catch (error) {
      throw asDetectError(error)
    } finally {
      context.root.remove(temporary)
    }
  })
}

/** V-21: what the order names itself is read before anything runs; members of composites when their turn comes. */
function lookUpAll(order: Order, lookUp: LookUp): void {
  for (const { group } of order.order) for (const element of group) lookUp('buildpack', element)
  for (const { group } of order.orderExtensions) for (const element of group) lookUp('extension', element)
}

async function firstGroup(
  order: Order,
  lookUp: LookUp,
  temporary: ContainerPath,
  inputs: DetectInputs,
  context: PhaseContext & { readonly runner: Runner },
): Promise<Detected> {
  const { emit, platformApi } = context
  const variables = readProgramVariables(inputs, context)
  const outcomeOf = detectRuns({
    settings: {
      ...variables,
      root: context.root,
      runner: context.runner,
      temporary,
      appDir: inputs.appDir,
      platformDir: inputs.platformDir,
      execEnv: inputs.execEnv,
      ...(inputs.timeout === undefined ? {} : { timeout: inputs.timeout }),
    },
    emit,
    concurrency: inputs.concurrency ?? availableParallelism(),
    ...(isAtLeast(platformApi, '0.12') && { target: variables.target }),
  })

  const takesPart = isAtLeast(platformApi, '0.15')
    ? (element: OrderElement, module: Module) => worksIn(inputs.execEnv, element, module, emit)
    : () => true
  let erroredBuildpack = false
  for (const members of expandOrder(order, lookUp, takesPart)) {
    const found = await detectGroup(members, outcomeOf, emit)
    if (found.kind === 'selected') return found
    if (found.kind === 'errored') erroredBuildpack = true
  }
  emit({ type: 'detect-failed', erroredBuildpack })
  throw noGroup(erroredBuildpack)
}

/** X-1, O-8: who does not know the execution environment is passed over without failing the group. */
function worksIn(
  execEnv: string,
  element: OrderElement,
  module: Module,
  emit: PhaseContext['emit'],
): boolean {
  const listed = element.execEnv ?? []
  const isListed = listed.length === 0 || listed.includes('*') || listed.includes(execEnv)
  if (isListed && supportsExecEnv(module.api, module.info, execEnv)) return true
  const supported = isListed ? module.info.execEnv : listed
  const { id, version } = element
  emit({
    type: 'detect-skipped',
    buildpack: { id, version },
    reason: `execution environment mismatch; current: ${execEnv}, buildpack supports: [${supported.join(' ')}]`,
  })
  return false
}

function noGroup(erroredBuildpack: boolean): SlipwayError {
  return erroredBuildpack
    ? new SlipwayError('DETECT_BUILDPACK_ERROR', 'buildpack(s) failed with err', {
        hint: 'Look at the output of the buildpacks that failed.',
        class: 'buildpack',
        exitCode: EXIT_CODES.detectNoGroupWithErrors,
      })
    : new SlipwayError('DETECT_NO_GROUP', 'no buildpacks participating', {
        hint: 'Check that this is the directory of an app that one of the buildpacks can build.',
        class: 'user',
        exitCode: EXIT_CODES.detectNoGroup,
      })
}

function asDetectError(error: unknown): unknown {
  if (!(error instanceof SlipwayError)) {
    return new SlipwayError('DETECT_FAILED', 'detection could not go on', {
      cause: error,
      class: 'infrastructure',
      exitCode: EXIT_CODES.detect,
      ...systemDetails(error),
    })
  }
  return error.exitCode === EXIT_CODES.generic ? error.withExitCode(EXIT_CODES.detect) : error
}
