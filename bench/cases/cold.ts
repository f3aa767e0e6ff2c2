import type { Aim, Case, Contestant, Row } from '../case.ts'
import { floorOf } from '../floor.ts'
import type { Lifecycle } from '../lifecycles.ts'
import type { TreeName } from '../trees.ts'
import { type Layer, Workplace, type World } from '../workplace.ts'

/** Layers of the kinds that there are: for the app alone, for the app and the next build, for the next build alone. */
export const LAYERS: readonly Layer[] = [
  { tree: 'deps', types: 'launch' },
  { tree: 'modules', types: 'launch,cache' },
  { tree: 'tools', types: 'build,cache' },
]

export const COLD: readonly Case[] = [
  cold({
    name: 'cold-small',
    app: 'small',
    layers: LAYERS,
    title: 'export, nothing cached: app of 20,000 small files and layers of the same kind (T1)',
    aims: { gzip: 3, zstd: 4 },
  }),
  cold({
    name: 'cold-large',
    app: 'large',
    layers: [],
    title: 'export, nothing cached: 500 MB in 2,000 files, half of it noise (T2)',
    aims: { gzip: 2.8, zstd: 5 },
    floor: 1.25,
  }),
  floor('floor-small', 'small', 1.5),
]

interface ColdCase {
  readonly name: string
  readonly app: TreeName
  readonly layers: readonly Layer[]
  readonly title: string
  readonly aims: { readonly gzip: number; readonly zstd: number }
  readonly floor?: number
}

function cold({ name, app, layers, title, aims, floor }: ColdCase): Case {
  return {
    name,
    async run({ world, lifecycles, inTurn }) {
      const contestants: Contestant[] = []
      for (const lifecycle of lifecycles) {
        const place = await built(world, lifecycle, `${name}-${lifecycle.name}`, app, layers)
        contestants.push(exporting(place, lifecycle.name))
        if (lifecycle.name === 'ours')
          contestants.push(exporting(place, 'ours, zstd', '-compression', 'zstd'))
      }
      if (floor !== undefined) contestants.push(floorRun(world, app))
      const samples = await inTurn(contestants)
      const rows: Row[] = [
        { title, aim: { kind: 'faster', who: 'ours', times: aims.gzip }, peak: 200, samples },
        {
          title: `${title}, ours with zstd layers`,
          aim: { kind: 'faster', who: 'ours, zstd', times: aims.zstd },
          peak: 256,
          samples,
        },
      ]
      if (floor !== undefined) rows.push(floorRow('2,000 larger files', floor, samples))
      return rows
    },
  }
}

function floor(name: string, app: TreeName, times: number): Case {
  return {
    name,
    async run({ world, lifecycles, inTurn }) {
      const [ours] = lifecycles
      if (ours === undefined) return []
      const place = await built(world, ours, name, app, [])
      const samples = await inTurn([exporting(place, 'ours'), floorRun(world, app)])
      return [floorRow('20,000 small files', times, samples)]
    },
  }
}

function floorRow(what: string, times: number, samples: Row['samples']): Row {
  const aim: Aim = { kind: 'floor', times }
  return { title: `floor: cold export of ${what} over the machine's own cost`, aim, peak: 200, samples }
}

function floorRun(world: World, app: TreeName): Contestant {
  return { who: 'floor', run: async () => floorOf(world.tree(app), world.folder) }
}

/** A place where everything is done but the export. */
async function built(
  world: World,
  lifecycle: Lifecycle,
  name: string,
  app: TreeName,
  layers: readonly Layer[],
): Promise<Workplace> {
  const place = new Workplace(world, lifecycle, { name, app: world.tree(app), layers })
  await world.registry.fresh()
  await place.phases('analyzer', 'detector', 'builder')
  return place
}

function exporting(place: Workplace, who: Contestant['who'], ...flags: readonly string[]): Contestant {
  return {
    who,
    before: async () => {
      await place.world.registry.fresh()
      place.emptyCache()
    },
    run: () => place.phase('exporter', ...flags),
  }
}
