/**
 * Records what a reference lifecycle answers, so that every run of the tests can compare with it and none needs it:
 *
 *   REFERENCE_LIFECYCLE=<a folder laid out like /cnb/lifecycle> npm run record:reference [-- NAME…]
 *
 * As root, for the sake of its creator, which wants to look up a user that is not the one who runs it.
 */
import { referenceLifecycle } from './lifecycles.ts'
import { observe } from './observe.ts'
import { writeRecord } from './recorded.ts'
import { SCENARIOS } from './scenarios.ts'
import { usages } from './usage.ts'

const folder = process.env.REFERENCE_LIFECYCLE
if (folder === undefined) {
  console.error('REFERENCE_LIFECYCLE names no lifecycle: set it to a folder laid out like /cnb/lifecycle')
  process.exit(1)
}
const lifecycle = referenceLifecycle(folder)
const names = process.argv.slice(2)
const isWanted = (name: string) => names.length === 0 || names.includes(name)
for (const scenario of SCENARIOS.filter(({ name }) => isWanted(name))) {
  writeRecord(scenario.name, await observe(scenario, () => lifecycle))
  console.log(scenario.name)
}
if (isWanted('usage')) writeRecord('usage', await usages(lifecycle))
