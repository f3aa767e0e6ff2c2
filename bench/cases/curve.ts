import type { BenchContext, Case, Row, Who } from '../case.ts'
import type { Measured } from '../measure.ts'
import { rebuilding } from './again.ts'

const SIZES = [1, 2, 4, 8] as const
const PAIRS = 3

/** Cost over size: with nothing changed, and with one file of the app changed, which makes its layer new. */
export const CURVE: Case = {
  name: 'curve',
  async run(context) {
    const rows: Row[] = []
    for (const change of [undefined, 'app'] as const)
      for (const size of SIZES)
        rows.push({
          title: `curve: ${change === undefined ? 'nothing' : 'one file'} changed of an app of ${20 * size} MB`,
          aim: { kind: 'none' },
          peak: 200,
          samples: await point(context, size, change),
        })
    return rows
  },
}

async function point(
  context: BenchContext,
  size: (typeof SIZES)[number],
  change: 'app' | undefined,
): Promise<ReadonlyMap<Who, readonly Measured[]>> {
  await context.world.registry.fresh()
  const contestants = []
  for (const lifecycle of context.lifecycles) {
    const name = `curve-${change ?? 'nothing'}-${size}`
    const options = { name, app: `times-${size}`, layers: [], volume: 'kept' } as const
    contestants.push(
      await rebuilding(context, lifecycle, change === undefined ? options : { ...options, change }),
    )
  }
  return context.inTurn(contestants, PAIRS)
}
