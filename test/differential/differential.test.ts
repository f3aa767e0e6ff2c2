/**
 * Our lifecycle and the Go lifecycle from the same inputs: exit codes, lines, the files between the phases, layers byte
 * for byte, labels, configuration and cache. What the reference answered stands in recorded/ (record.ts says how it
 * came there), and what may differ in deliberate.ts. With REFERENCE_LIFECYCLE, a folder laid out like /cnb/lifecycle,
 * both also take turns at one build; that takes root.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparable } from './deliberate.ts'
import { type Lifecycle, ourLifecycle, referenceLifecycle } from './lifecycles.ts'
import { type Observation, observe } from './observe.ts'
import { readRecord } from './recorded.ts'
import { SCENARIOS } from './scenarios.ts'
import type { Scenario } from './steps.ts'
import { OUR_FLAGS, type Usages, usages } from './usage.ts'

let ours: Lifecycle
beforeAll(async () => {
  ours = await ourLifecycle()
})
afterAll(() => ours[Symbol.dispose]())

describe('what the reference answered', () => {
  test.each(SCENARIOS)('$name', async (scenario) => {
    const recorded = readRecord<Observation>(scenario.name)
    expect(comparable(await observe(scenario, () => ours), 'ours')).toEqual(comparable(recorded, 'theirs'))
  })

  test('the flags of every command and Platform API', async () => {
    const recorded = readRecord<Usages>('usage')
    const found = Object.entries(await usages(ours)).map(([command, { code, flags }]) => {
      const shared = Object.entries(flags).filter(([flag]) => !OUR_FLAGS.has(flag))
      return [command, { code, flags: Object.fromEntries(shared) }]
    })
    expect(Object.fromEntries(found)).toEqual(recorded)
  })

  test('each record has its scenario', () => {
    const files = readdirSync(new URL('recorded', import.meta.url)).sort()
    expect(files).toEqual(
      [...SCENARIOS.map(({ name }) => name), 'usage'].map((name) => `${name}.json`).sort(),
    )
  })
})

const reference = process.env.REFERENCE_LIFECYCLE

describe.runIf(reference !== undefined)('in turns with the reference itself', () => {
  const named = (pattern: RegExp) => SCENARIOS.filter(({ name }) => pattern.test(name))
  const inSecondBuild = ({ steps }: Scenario, step: number) =>
    steps.slice(0, step).some((one) => 'phase' in one && ['exporter', 'creator'].includes(one.phase))
  const turns: [string, RegExp, (scenario: Scenario, step: number) => boolean][] = [
    ['ours goes on with its image and cache', /^(second-build|rebase)-/, inSecondBuild],
    ['it goes on with ours', /^(second-build|rebase)-/, (scenario, step) => !inSecondBuild(scenario, step)],
    ['every second phase', /^(second-build|rebase)-|^exten(sions|ded)-\d/, (_, step) => step % 2 === 0],
    ['every other second phase', /^exten(sions|ded)-\d/, (_, step) => step % 2 === 1],
  ]
  test.each(
    turns.flatMap(([name, pattern, isOurs]) =>
      named(pattern).map((scenario) => ({ name, isOurs, scenario })),
    ),
  )('$scenario.name: $name', async ({ isOurs, scenario }) => {
    const theirs = referenceLifecycle(reference ?? '')
    const found = await observe(scenario, (step) => (isOurs(scenario, step) ? ours : theirs), '/opt')
    const recorded = readRecord<Observation>(scenario.name)
    expect(comparable(found, 'ours', 'theirs')).toEqual(comparable(recorded, 'ours', 'theirs'))
  })
})
