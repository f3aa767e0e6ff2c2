import type { Candidate } from './resolve-plan.ts'

/** For each candidate the indexes of the alternatives that are still open. */
export type Domains = readonly (readonly number[])[]

/**
 * Whether some choice among the open alternatives may still work out. An alternative is struck out where even in the
 * best case nobody before it could provide what it requires, or nobody after it could require what it provides; this
 * goes on until nothing changes. What is struck out fails (or is left out) in every trial, because leaving members out
 * only ever takes providers and requirers away. So `false` is certain, `true` is a guess.
 */
export function feasible(candidates: readonly Candidate<unknown, unknown>[], domains: Domains): boolean {
  let open = domains
  for (;;) {
    const supports = supportsOf(candidates, open)
    const next = open.map((indexes, i) =>
      indexes.filter((index) => isSupported(candidates[i], index, i, supports)),
    )
    if (next.every((indexes, i) => indexes.length === open[i]?.length)) break
    open = next
  }
  return (
    open.some((indexes) => indexes.length > 0) &&
    open.every(
      (indexes, i) => indexes.length > 0 || domains[i]?.some((index) => isDroppable(candidates[i], index)),
    )
  )
}

interface Supports {
  /** The first candidate that may provide a name. */
  readonly firstProvider: ReadonlyMap<string, number>
  /** The last candidate that may require a name. */
  readonly lastRequirer: ReadonlyMap<string, number>
}

function supportsOf(candidates: readonly Candidate<unknown, unknown>[], open: Domains): Supports {
  const firstProvider = new Map<string, number>()
  const lastRequirer = new Map<string, number>()
  candidates.forEach(({ alternatives }, i) => {
    for (const index of open[i] ?? []) {
      for (const name of alternatives[index]?.provides ?? []) {
        if (!firstProvider.has(name)) firstProvider.set(name, i)
      }
      for (const { name } of alternatives[index]?.requires ?? []) lastRequirer.set(name, i)
    }
  })
  return { firstProvider, lastRequirer }
}

function isDroppable(candidate: Candidate<unknown, unknown> | undefined, index: number): boolean {
  return (candidate?.optional ?? false) && index === (candidate?.alternatives.length ?? 0) - 1
}

/** The candidate itself counts as before and after: one alternative may provide what it requires. */
function isSupported(
  candidate: Candidate<unknown, unknown> | undefined,
  index: number,
  position: number,
  { firstProvider, lastRequirer }: Supports,
): boolean {
  const alternative = candidate?.alternatives[index]
  if (alternative === undefined) return false
  return (
    alternative.requires.every(({ name }) => (firstProvider.get(name) ?? Infinity) <= position) &&
    alternative.provides.every((name) => (lastRequirer.get(name) ?? -1) >= position)
  )
}
