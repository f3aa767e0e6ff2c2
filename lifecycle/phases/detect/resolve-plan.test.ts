import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Candidate, PlanTooComplex, resolvePlan, type TrialStep } from './resolve-plan.ts'

type Member = Candidate<string, number>

/** The rules of BP-1 to BP-8 said once more, as slowly and plainly as possible. */
function naive(members: readonly Member[]): { selected: string[]; entries: unknown[] } | undefined {
  let choices: number[][] = [[]]
  for (const { alternatives } of members) {
    choices = choices.flatMap((choice) => alternatives.map((_, index) => [...choice, index]))
  }
  for (const choice of choices) {
    const outcome = trial(members, choice)
    if (outcome !== undefined) return outcome
  }
  return undefined
}

function trial(members: readonly Member[], choice: readonly number[]) {
  const present = new Set(members.keys())
  const taken = (i: number) => members[i]?.alternatives[choice[i] ?? -1]
  const provides = (i: number, name: string) => present.has(i) && taken(i)?.provides.includes(name)
  const requires = (i: number, name: string) =>
    present.has(i) && taken(i)?.requires.some((require) => require.name === name)
  for (;;) {
    const bad = [...present].filter((i) => {
      const upTo = [...present].filter((j) => j <= i)
      const from = [...present].filter((j) => j >= i)
      return (
        taken(i)?.requires.some(({ name }) => !upTo.some((j) => provides(j, name))) ||
        taken(i)?.provides.some((name) => !from.some((j) => requires(j, name)))
      )
    })
    if (bad.length === 0) break
    for (const i of bad) {
      const member = members[i]
      if (!(member?.optional && choice[i] === member.alternatives.length - 1)) return undefined
      present.delete(i)
    }
  }
  if (present.size === 0) return undefined
  const kept = [...present]
  const names = new Set(
    kept.flatMap((i) => [
      ...(taken(i)?.provides ?? []),
      ...(taken(i)?.requires.map(({ name }) => name) ?? []),
    ]),
  )
  return {
    selected: kept.map((i) => members[i]?.element ?? ''),
    entries: [...names].map((name) => {
      const last = Math.max(...kept.filter((i) => requires(i, name)))
      return {
        name,
        providers: kept
          .filter((i) => i <= last)
          .flatMap((i) =>
            (taken(i)?.provides ?? []).filter((p) => p === name).map(() => members[i]?.element),
          ),
        requires: kept.flatMap((i) =>
          (taken(i)?.requires ?? []).filter((r) => r.name === name).map(({ value }) => value),
        ),
      }
    }),
  }
}

const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 2 })
const alternative = fc.record({
  provides: names,
  requires: fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.nat(9) }), {
    maxLength: 2,
  }),
})
const group = (size: number, alternatives: number) =>
  fc
    .array(
      fc.record({
        optional: fc.boolean(),
        alternatives: fc.array(alternative, { minLength: 1, maxLength: alternatives }),
      }),
      { minLength: 1, maxLength: size },
    )
    .map((members): Member[] => members.map((member, i) => ({ ...member, element: `bp${i}` })))

const silent = () => {}

describe('resolvePlan', () => {
  test('agrees with the naive resolver where every trial is run', () => {
    fc.assert(
      fc.property(group(5, 3), (members) => {
        expect(resolvePlan(members, silent)).toEqual(naive(members))
      }),
      { numRuns: 1000 },
    )
  })

  test('agrees with the naive resolver where trials are passed over', () => {
    fc.assert(
      fc.property(group(7, 4), (members) => {
        const trials = members.reduce((product, { alternatives }) => product * alternatives.length, 1)
        fc.pre(trials > 256 && trials < 5000)
        expect(resolvePlan(members, silent)).toEqual(naive(members))
      }),
      { numRuns: 200 },
    )
  })

  test('numbers the trials and says why each failed, as the reference does', () => {
    const steps: TrialStep<string>[] = []
    const found = resolvePlan(
      [
        member('node', false, [
          { provides: ['node'], requires: [] },
          { provides: [], requires: [] },
        ]),
        member('opt', true, [{ provides: [], requires: ['jdk'] }]),
      ],
      (step) => steps.push(step),
    )
    expect(found?.selected).toEqual(['node'])
    expect(steps).toEqual([
      { kind: 'trial', number: 1 },
      { kind: 'unmet', outcome: 'skip', element: 'opt', unmet: 'requires', name: 'jdk' },
      { kind: 'unmet', outcome: 'fail', element: 'node', unmet: 'provides', name: 'node' },
      { kind: 'trial', number: 2 },
      { kind: 'unmet', outcome: 'skip', element: 'opt', unmet: 'requires', name: 'jdk' },
    ])
  })

  test('an optional member is left out only in its last alternative', () => {
    const found = resolvePlan(
      [
        member('provider', true, [{ provides: ['x'], requires: [] }]),
        member('picky', true, [
          { provides: [], requires: ['nowhere'] },
          { provides: [], requires: ['x'] },
          { provides: [], requires: [] },
        ]),
      ],
      silent,
    )
    expect(found?.selected).toEqual(['provider', 'picky'])
  })

  test('a trial in which everything was left out fails', () => {
    const steps: TrialStep<string>[] = []
    expect(
      resolvePlan([member('a', true, [{ provides: [], requires: ['x'] }])], (step) => steps.push(step)),
    ).toBeUndefined()
    expect(steps.at(-1)).toEqual({ kind: 'empty' })
  })

  test('many alternatives that cannot work out end at once, with a reason', () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      member(
        `bp${i}`,
        false,
        Array.from({ length: 10 }, (_, j) => ({ provides: [`x${i}-${j}`], requires: [`x${i}-${j}`] })),
      ),
    )
    const steps: TrialStep<string>[] = []
    const last = member('last', false, [{ provides: [], requires: ['nowhere'] }])
    expect(resolvePlan([...many, last], (step) => steps.push(step))).toBeUndefined()
    expect(steps).toContainEqual({
      kind: 'unmet',
      outcome: 'fail',
      element: 'last',
      unmet: 'requires',
      name: 'nowhere',
    })
    expect(resolvePlan(many, silent)?.selected).toHaveLength(40)
  })

  test('a plan made to be hard is given up, not tried for ever', () => {
    // Eight pigeons, seven holes: provided literals, clauses that require one of them, sinks that take what is left.
    const pigeons = [...Array(8).keys()]
    const holes = [...Array(7).keys()]
    const sits = (pigeon: number, hole: number, truth: boolean) =>
      `${truth ? '' : 'not-'}${pigeon}-in-${hole}`
    const seats = pigeons.flatMap((pigeon) => holes.map((hole) => [pigeon, hole] as const))
    const literals = seats.map(([pigeon, hole]) => [sits(pigeon, hole, true), sits(pigeon, hole, false)])
    const clauses = [
      ...pigeons.map((pigeon) => holes.map((hole) => sits(pigeon, hole, true))),
      ...seats.flatMap(([one, hole]) =>
        pigeons
          .filter((other) => other > one)
          .map((other) => [sits(one, hole, false), sits(other, hole, false)]),
      ),
    ]
    const group = [
      ...literals.map((pair, i) =>
        member(
          `literal${i}`,
          false,
          pair.map((name) => ({ provides: [name], requires: [] })),
        ),
      ),
      ...clauses.map((clause, i) =>
        member(
          `clause${i}`,
          false,
          clause.map((name) => ({ provides: [], requires: [name] })),
        ),
      ),
      ...literals.flat().map((name) => member(`sink-${name}`, true, [{ provides: [], requires: [name] }])),
    ]
    expect(() => resolvePlan(group, silent)).toThrow(PlanTooComplex)
  })
})

function member(
  element: string,
  optional: boolean,
  alternatives: { provides: string[]; requires: string[] }[],
): Member {
  return {
    element,
    optional,
    alternatives: alternatives.map(({ provides, requires }) => ({
      provides,
      requires: requires.map((name, value) => ({ name, value })),
    })),
  }
}
