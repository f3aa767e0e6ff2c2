import { SlipwayError } from '../../../core/error.ts'
import type { BuildpackRef, DetectVerdict, Emit, EventBody } from '../../../core/event.ts'
import { EXIT_CODES } from '../../../spec/exit-codes.ts'
import type { BuildPlan } from '../../../spec/files/build-plan.ts'
import type { Group } from '../../../spec/files/group.ts'
import type { Plan } from '../../../spec/files/plan.ts'
import type { Require } from '../../../spec/files/require.ts'
import { inStep } from '../steps.ts'
import type { Member } from './expand-order.ts'
import {
  type Candidate,
  PlanTooComplex,
  type Resolution,
  resolvePlan,
  type TrialStep,
} from './resolve-plan.ts'
import type { Outcome, OutcomeOf } from './runs.ts'

export type GroupResult =
  | { readonly kind: 'selected'; readonly group: Group; readonly plan: Plan }
  | { readonly kind: 'failed' }
  /** Failed, and at least one of its members errored. */
  | { readonly kind: 'errored' }

/**
 * Detects one group: all members at once, then the verdict (cnb-spec §3.5) and the build plan (§3.6). What the members
 * did is told in their order, whatever order they ended in.
 * @throws SlipwayError what kept a member from being run, once no member runs any more.
 */
export async function detectGroup(
  members: readonly Member[],
  outcomeOf: OutcomeOf,
  emit: Emit,
): Promise<GroupResult> {
  const settled = await inStep(emit, 'detect', 'run bin/detect', () =>
    Promise.allSettled(members.map(outcomeOf)),
  )
  const judged = settled.map((result, i) => {
    if (result.status === 'rejected') throw result.reason
    return { member: members[i] as Member, outcome: result.value }
  })
  for (const { member, outcome } of judged) tellOutput(member, outcome, emit)
  emit({ type: 'detect-group', group: members.map(refOf) })
  for (const { member, outcome } of judged) tellResult(member, outcome, emit)

  if (judged.some(({ member, outcome }) => !member.optional && outcome.verdict !== 'pass')) {
    return { kind: judged.some(({ outcome }) => outcome.verdict === 'error') ? 'errored' : 'failed' }
  }
  const passed = judged.flatMap(({ member, outcome }) =>
    outcome.verdict === 'pass' ? [candidateOf(member, outcome.plan)] : [],
  )
  if (!passed.some(({ element }) => element.module.kind === 'buildpack')) {
    emit(NO_VIABLE)
    return { kind: 'failed' }
  }
  const resolution = await inStep(emit, 'detect', 'resolve plan', () => resolved(passed, emit))
  if (resolution === undefined) return { kind: 'failed' }
  emit({ type: 'group-selected', candidates: members.length, group: resolution.selected.map(refOf) })
  return { kind: 'selected', group: groupOf(resolution.selected), plan: planOf(resolution) }
}

const NO_VIABLE = {
  type: 'detect-trial-verdict',
  outcome: 'fail',
  reason: 'no viable buildpacks in group',
} as const

function refOf({ ref }: Member): BuildpackRef {
  return { id: ref.id, version: ref.version }
}

function tellOutput(member: Member, outcome: Outcome, emit: Emit): void {
  if (outcome.verdict === 'unsuitable') return
  const error = outcome.verdict === 'error' ? outcome.error : undefined
  if (outcome.output.length === 0 && error === undefined) return
  emit({
    type: 'detect-output',
    buildpack: refOf(member),
    verdict: verdictOf(member, outcome),
    output: outcome.output,
    ...(error === undefined ? {} : { error }),
  })
}

function tellResult(member: Member, outcome: Outcome, emit: Emit): void {
  const reason =
    outcome.verdict === 'unsuitable'
      ? outcome.reason
      : outcome.verdict === 'error'
        ? outcome.error
        : undefined
  const code = 'code' in outcome ? outcome.code : undefined
  emit({
    type: 'detect-result',
    buildpack: refOf(member),
    verdict: verdictOf(member, outcome),
    optional: member.optional,
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
  })
}

function verdictOf(member: Member, { verdict }: Outcome): DetectVerdict {
  if (verdict === 'unsuitable') return 'skip'
  return verdict === 'fail' && member.optional ? 'skip' : verdict
}

function candidateOf(member: Member, plan: BuildPlan): Candidate<Member, Require> {
  return {
    element: member,
    optional: member.optional,
    alternatives: [plan, ...plan.or].map(({ provides, requires }) => ({
      provides: provides.map(({ name }) => name),
      requires: requires.map((require) => ({ name: require.name, value: require })),
    })),
  }
}

function resolved(
  candidates: readonly Candidate<Member, Require>[],
  emit: Emit,
): Resolution<Member, Require> | undefined {
  try {
    return resolvePlan(candidates, (step) => emit(stepEvent(step)))
  } catch (error) {
    if (!(error instanceof PlanTooComplex)) throw error
    throw new SlipwayError('DETECT_PLAN_TOO_COMPLEX', 'the build plan has too many alternatives to try', {
      hint: 'Reduce the [[or]] alternatives in the plans of the group’s buildpacks.',
      class: 'buildpack',
      exitCode: EXIT_CODES.detect,
    })
  }
}

function stepEvent(step: TrialStep<Member>): EventBody {
  switch (step.kind) {
    case 'trial':
      return { type: 'detect-trial', number: step.number }
    case 'empty':
      return NO_VIABLE
    case 'unmet':
      return {
        type: 'detect-trial-verdict',
        outcome: step.outcome,
        buildpack: refOf(step.element),
        reason: step.unmet === 'requires' ? `requires ${step.name}` : `provides unused ${step.name}`,
      }
  }
}

function groupOf(selected: readonly Member[]): Group {
  const elements = (kind: Member['module']['kind']) =>
    selected
      .filter(({ module }) => module.kind === kind)
      .map(({ ref, module }) => ({
        id: ref.id,
        version: ref.version,
        api: module.api,
        homepage: module.info.homepage,
      }))
  return { group: elements('buildpack'), groupExtensions: elements('extension') }
}

function planOf({ entries }: Resolution<Member, Require>): Plan {
  return {
    entries: entries.map(({ providers, requires }) => ({
      providers: providers.map(({ ref, module }) => ({
        id: ref.id,
        version: ref.version,
        extension: module.kind === 'extension',
      })),
      requires,
    })),
  }
}
