import { join } from 'node:path'
import type { BenchContext, Case, Contestant, Row } from '../case.ts'
import { canRunDocker, type Docker, startDocker } from '../docker.ts'
import type { Lifecycle } from '../lifecycles.ts'
import { CommandFailed, sum } from '../measure.ts'
import { Workplace } from '../workplace.ts'
import { LAYERS } from './cold.ts'

/** Exports to docker's classic image store, with a launch cache as platforms have it. */
export const DAEMON: Case = {
  name: 'daemon',
  async run(context) {
    if (!canRunDocker()) {
      console.log('dockerd needs root: the rows of the container daemon are left out')
      return []
    }
    const docker = await startDocker(join(context.world.folder, 'docker'))
    try {
      await context.world.registry.fresh()
      await docker.pull(context.world.registry.runImage)
      return await rows(context, docker)
    } catch (error) {
      if (!(error instanceof CommandFailed) || !error.output.includes('-daemon is not supported')) throw error
      return [
        { title: 'exports to a container daemon', aim: '≥ 4; ≥ 2', ours: 'not supported', isMet: false },
      ]
    } finally {
      await docker.close()
    }
  },
}

async function rows(context: BenchContext, docker: Docker): Promise<readonly Row[]> {
  const places = context.lifecycles.map((lifecycle) => placeOf(context, lifecycle, docker))
  const cold = await context.inTurn(
    places.map(
      (place): Contestant => ({
        who: place.lifecycle.name,
        before: async () => {
          await docker.remove(place.image)
          place.emptyCache()
          place.emptyLayers()
          await place.phases('analyzer', 'detector', 'builder')
        },
        run: () => place.phase('exporter'),
      }),
    ),
  )
  const unchanged = await context.inTurn(
    places.map(
      (place): Contestant => ({
        who: place.lifecycle.name,
        before: () => place.phases('analyzer', 'detector'),
        run: async () => {
          const restored = await place.phase('restorer')
          await place.phase('builder')
          return sum([restored, await place.phase('exporter')])
        },
      }),
    ),
  )
  return [
    {
      title: 'restore and export to a container daemon, nothing changed, layers kept',
      aim: { kind: 'faster', who: 'ours', times: 4 },
      peak: 200,
      samples: unchanged,
    },
    {
      title: 'export to a container daemon, cold (T1)',
      aim: { kind: 'faster', who: 'ours', times: 2 },
      peak: 200,
      samples: cold,
    },
  ]
}

function placeOf({ world }: BenchContext, lifecycle: Lifecycle, { address }: Docker): Workplace {
  const name = `daemon-${lifecycle.name}`
  return new Workplace(world, lifecycle, { name, app: world.tree('small'), layers: LAYERS, daemon: address })
}
