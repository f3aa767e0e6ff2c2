// `npm run bench`: our lifecycle against the Go lifecycle and against the machine's own cost, case by case, in turn on the
// same trees and the same registry. Writes bench/results.md when all cases ran.
//
//   REFERENCE_LIFECYCLE=FOLDER   the Go lifecycle's built binaries (lifecycle, launcher, exporter …); without it only ours
//   -- --case NAME               only this case; may be repeated
//   -- --pairs N                 runs of each contestant, 5 where not given; one more round before warms up
//   -- --quick                   one pair and no warming up, for whoever works on a case
//   -- --output FILE             writes there, also with --case
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BenchContext, Case, Contestant, Fact, Row, Who } from './case.ts'
import { REBUILDS } from './cases/again.ts'
import { ANALYZER } from './cases/analyzer.ts'
import { COLD } from './cases/cold.ts'
import { CREATOR } from './cases/creator.ts'
import { CURVE } from './cases/curve.ts'
import { DAEMON } from './cases/daemon.ts'
import { START } from './cases/start.ts'
import { packageOurs, referenceOf } from './lifecycles.ts'
import { machine } from './machine.ts'
import type { Measured } from './measure.ts'
import { startRegistry } from './registry.ts'
import { report, shortfalls } from './report.ts'
import { makeTree, type TreeName } from './trees.ts'
import { builderUser } from './user.ts'
import type { World } from './workplace.ts'

const RESULTS = join(import.meta.dirname, 'results.md')

const CASES: readonly Case[] = [...COLD, CREATOR, ...REBUILDS, DAEMON, CURVE, ANALYZER, START]

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    pairs: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    output: { type: 'string' },
  },
})
const unknown = options.case?.filter((name) => !CASES.some((known) => known.name === name)) ?? []
if (unknown.length > 0)
  throw new Error(`no case ${unknown.join(', ')}; there are ${CASES.map(({ name }) => name).join(', ')}`)

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
// Where docker-registry keeps its blobs: /dev/shm is memory on every Linux.
const memory = mkdtempSync('/dev/shm/slipway-bench-')
chmodSync(folder, 0o755)
process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))
process.on('exit', () => {
  for (const path of [folder, memory]) rmSync(path, { recursive: true, force: true })
})

console.log('packaging our lifecycle')
const ours = packageOurs(folder)
const reference = referenceOf(process.env)
if (reference === undefined)
  console.log('REFERENCE_LIFECYCLE is not set: rows that compare with the Go lifecycle are left out')
const lifecycles = reference === undefined ? [ours] : [ours, reference]
const about = machine(lifecycles)
const registry = await startRegistry(folder, memory)
const world: World = { folder: join(folder, 'work'), registry, user: builderUser(), tree }
mkdirSync(join(folder, 'trees'))

const results: (Row | Fact)[] = []
for (const one of CASES.filter(({ name }) => options.case?.includes(name) ?? true)) {
  mkdirSync(world.folder)
  const start = performance.now()
  const found = await one.run({ world, lifecycles, inTurn }).catch((error: unknown) => failed(one, error))
  results.push(...found)
  console.log(`\n${one.name}, ${((performance.now() - start) / 1000).toFixed(0)} s\n\n${report(found)}`)
  rmSync(world.folder, { recursive: true, force: true })
}
await registry.close()

const missed = shortfalls(results)
const text = [
  '# The bench’s results',
  '',
  'Written by `npm run bench`; what is measured stands in bench/cases. Medians of whole processes, in turn; others’ cores: what',
  'else the machine did meanwhile.',
  '',
  ...about.map((line) => `- ${line}`),
  '',
  report(results),
  '',
  missed.length === 0
    ? 'Every aim is met.'
    : `Below the aim:\n\n${missed.map((line) => `- ${line}`).join('\n')}`,
  '',
  remarks(),
].join('\n')
const output = options.output ?? (options.case === undefined ? RESULTS : undefined)
if (output !== undefined) writeFileSync(output, text)
console.log(`\n${text}`)

/** What people wrote beneath the figures stays. */
function remarks(): string {
  const [, text = ''] = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8').split(/^(?=## )/m) : []
  return text
}

/** A case that cannot run costs its rows, and is told of; the others go on. */
function failed({ name }: Case, error: unknown): readonly Fact[] {
  console.error(error)
  process.exitCode = 1
  return [{ title: `the case ${name}`, aim: 'runs', ours: 'failed', isMet: false }]
}

/** Prepared once, when it is first asked for. */
function tree(name: string): string {
  const path = join(folder, 'trees', name)
  try {
    mkdirSync(path)
  } catch {
    return path
  }
  console.log(`making the tree ${name}`)
  makeTree(name as TreeName, path)
  return path
}

async function inTurn(
  contestants: readonly Contestant[],
  pairs = Number(options.pairs),
): ReturnType<BenchContext['inTurn']> {
  const samples = new Map<Who, Measured[]>(contestants.map(({ who }) => [who, []]))
  const warmUp = options.quick ? 0 : 1
  const rounds = options.quick ? 1 : pairs + warmUp
  for (let round = 0; round < rounds; round++) {
    // Who comes first changes, so that neither always finds what the other left in the page cache.
    const order = round % 2 === 0 ? contestants : contestants.toReversed()
    for (const { who, before, run } of order) {
      await before?.()
      const measured = await run()
      console.log(`  ${who}: ${measured.wall.toFixed(2)} s${round < warmUp ? ' (warming up)' : ''}`)
      if (round >= warmUp) samples.get(who)?.push(measured)
    }
  }
  return samples
}
