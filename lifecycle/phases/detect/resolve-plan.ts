import { type Domains, feasible } from './plan-constraints.ts'

/**
 * The build plan of a group whose members have passed detection (buildpack spec §Phase #1; cnb-spec BP-1 to BP-8), as a
 * pure function. Every member offers alternatives: what it provides and requires at the top, then each `[[or]]`. A trial
 * takes one of each, the first member's choice varying slowest; the first trial that works out wins.
 */

/** One alternative of a member. `R` carries what stands beside a requirement's name. */
export interface Alternative<R> {
  readonly provides: readonly string[]
  readonly requires: readonly { readonly name: string; readonly value: R }[]
}

export interface Candidate<E, R> {
  readonly element: E
  /** Extensions are always optional. */
  readonly optional: boolean
  /** At least one. */
  readonly alternatives: readonly Alternative<R>[]
}

export interface PlanEntry<E, R> {
  readonly name: string
  readonly providers: readonly E[]
  readonly requires: readonly R[]
}

/** What happened in a trial, in the order the reference tells it. */
export type TrialStep<E> =
  | { readonly kind: 'trial'; readonly number: number }
  | {
      readonly kind: 'unmet'
      readonly outcome: 'fail' | 'skip'
      readonly element: E
      readonly unmet: 'requires' | 'provides'
      readonly name: string
    }
  | { readonly kind: 'empty' }

export interface Resolution<E, R> {
  readonly selected: readonly E[]
  /** One entry per name, in the order the names first appear. */
  readonly entries: readonly PlanEntry<E, R>[]
}

/** Up to this many trials all are run, as the reference does; beyond, those that cannot work out are passed over. */
const ALL_TRIALS = 256
/** Choosing alternatives is as hard as SAT; a plan made to be hard ends here instead of never. */
const MAX_STEPS = 10_000

/** The search was given up: the alternatives are too entangled. */
export class PlanTooComplex extends Error {}

/**
 * Resolves the plan, or undefined where no trial works out.
 * @param report is told every step of every trial that is run. Where trials are passed over, those that run are counted.
 * @throws PlanTooComplex after {@link MAX_STEPS} choices.
 */
export function resolvePlan<E, R>(
  candidates: readonly Candidate<E, R>[],
  report: (step: TrialStep<E>) => void,
): Resolution<E, R> | undefined {
  const trials = candidates.reduce((product, { alternatives }) => product * alternatives.length, 1)
  const prunes = trials > ALL_TRIALS
  let steps = 0
  let tried = 0

  function search(chosen: readonly number[]): Resolution<E, R> | undefined {
    if (prunes && ++steps > MAX_STEPS) throw new PlanTooComplex()
    if (prunes && !feasible(candidates, domainsOf(candidates, chosen))) return undefined
    const candidate = candidates[chosen.length]
    if (candidate === undefined) return runTrial(candidates, chosen, ++tried, report)
    for (let index = 0; index < candidate.alternatives.length; index++) {
      const found = search([...chosen, index])
      if (found !== undefined) return found
    }
    return undefined
  }

  const found = search([])
  // Whoever reads the report wants at least one reason.
  if (found === undefined && tried === 0) runTrial(candidates, [], 1, report)
  return found
}

function domainsOf(candidates: readonly Candidate<unknown, unknown>[], chosen: readonly number[]): Domains {
  return candidates.map(({ alternatives }, i) => {
    const choice = chosen[i]
    return choice === undefined ? alternatives.map((_, index) => index) : [choice]
  })
}

interface Member<E, R> {
  readonly element: E
  /** BP-5: an optional member may be left out only in its last alternative; before, it counts as required. */
  readonly droppable: boolean
  readonly alternative: Alternative<R>
}

interface Dependency<E, R> {
  readonly providers: Member<E, R>[]
  readonly requires: R[]
  /** Provided, but not required so far. */
  pending: Member<E, R>[]
  readonly early: Member<E, R>[]
}

function runTrial<E, R>(
  candidates: readonly Candidate<E, R>[],
  chosen: readonly number[],
  number: number,
  report: (step: TrialStep<E>) => void,
): Resolution<E, R> | undefined {
  report({ kind: 'trial', number })
  let members: Member<E, R>[] = candidates.map(({ element, optional, alternatives }, i) => ({
    element,
    droppable: optional && (chosen[i] ?? 0) === alternatives.length - 1,
    alternative: alternatives[chosen[i] ?? 0] ?? { provides: [], requires: [] },
  }))
  for (;;) {
    const dependencies = dependenciesOf(members)
    const unmet = [
      ...unmetOf(dependencies, 'requires', ({ early }) => early),
      ...unmetOf(dependencies, 'provides', ({ pending }) => pending),
    ]
    for (const { member, unmet: kind, name } of unmet) {
      const outcome = member.droppable ? 'skip' : 'fail'
      report({ kind: 'unmet', outcome, element: member.element, unmet: kind, name })
      if (outcome === 'fail') return undefined
    }
    if (unmet.length === 0) return resolutionOf(members, dependencies, report)
    const dropped = new Set(unmet.map(({ member }) => member))
    members = members.filter((member) => !dropped.has(member))
  }
}

/** BP-4: within a member provides come before requires; a requirement claims all that was provided so far. */
function dependenciesOf<E, R>(members: readonly Member<E, R>[]): Map<string, Dependency<E, R>> {
  const dependencies = new Map<string, Dependency<E, R>>()
  const at = (name: string): Dependency<E, R> => {
    const known = dependencies.get(name)
    if (known !== undefined) return known
    const made: Dependency<E, R> = { providers: [], requires: [], pending: [], early: [] }
    dependencies.set(name, made)
    return made
  }
  for (const member of members) {
    for (const name of member.alternative.provides) at(name).pending.push(member)
    for (const { name, value } of member.alternative.requires) {
      const dependency = at(name)
      dependency.providers.push(...dependency.pending)
      dependency.pending = []
      if (dependency.providers.length === 0) dependency.early.push(member)
      else dependency.requires.push(value)
    }
  }
  return dependencies
}

function unmetOf<E, R>(
  dependencies: ReadonlyMap<string, Dependency<E, R>>,
  unmet: 'requires' | 'provides',
  members: (dependency: Dependency<E, R>) => readonly Member<E, R>[],
) {
  return [...dependencies].flatMap(([name, dependency]) =>
    members(dependency).map((member) => ({ member, unmet, name })),
  )
}

function resolutionOf<E, R>(
  members: readonly Member<E, R>[],
  dependencies: ReadonlyMap<string, Dependency<E, R>>,
  report: (step: TrialStep<E>) => void,
): Resolution<E, R> | undefined {
  if (members.length === 0) {
    report({ kind: 'empty' })
    return undefined
  }
  return {
    selected: members.map(({ element }) => element),
    entries: [...dependencies].map(([name, { providers, requires }]) => ({
      name,
      providers: providers.map(({ element }) => element),
      requires,
    })),
  }
}
