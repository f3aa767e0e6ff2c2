import type { Case, Contestant } from '../case.ts'
import { median } from '../measure.ts'
import { Workplace } from '../workplace.ts'
import { LAYERS } from './cold.ts'

/** The five phases in one process, with nothing to start from. */
export const CREATOR: Case = {
  name: 'creator',
  async run({ world, lifecycles, inTurn }) {
    const contestants = lifecycles.map((lifecycle): Contestant => {
      const name = `creator-${lifecycle.name}`
      const place = new Workplace(world, lifecycle, { name, app: world.tree('small'), layers: LAYERS })
      return {
        who: lifecycle.name,
        before: async () => {
          await world.registry.fresh()
          place.emptyCache()
          place.emptyLayers()
        },
        run: () => place.phase('creator'),
      }
    })
    const samples = await inTurn(contestants)
    const theirs = [...samples.values()].flat().map(({ output }) => buildpackSeconds(output))
    return [
      {
        title: 'the whole of creator, cold (T1)',
        aim: { kind: 'faster', who: 'ours', times: 3 },
        peak: 200,
        samples,
        notes: [`Of it the buildpack's own time: ${(median(theirs) * 1000).toFixed(0)} ms.`],
      },
    ]
  },
}

function buildpackSeconds(output: string): number {
  return Number(/buildpack: (\d+) microseconds/.exec(output)?.[1] ?? Number.NaN) / 1e6
}
