import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { BenchContext, Case, Contestant, Row } from '../case.ts'
import type { Lifecycle } from '../lifecycles.ts'
import { type Measured, sum } from '../measure.ts'
import { editTree, type TreeName } from '../trees.ts'
import { type Layer, Workplace } from '../workplace.ts'
import { LAYERS } from './cold.ts'

interface Rebuild {
  readonly name: string
  readonly title: string
  readonly aim: number
  readonly app: TreeName
  readonly layers: readonly Layer[]
  /** What is different from the last build. */
  readonly change?: 'app' | 'deps'
  /** Whether the directories of the last build's layers are there, or only its cache. */
  readonly volume: 'kept' | 'empty'
  readonly cache?: 'image'
}

/** The second build and every later one: what restorer and exporter need together. */
export const REBUILDS: readonly Case[] = [
  rebuild({
    name: 'unchanged-kept',
    title: 'restore and export, nothing changed, layers kept',
    aim: 8,
    app: 'small',
    layers: LAYERS,
    volume: 'kept',
  }),
  rebuild({
    name: 'unchanged-empty',
    title: 'restore and export, nothing changed, empty layers volume',
    aim: 2.5,
    app: 'small',
    layers: LAYERS,
    volume: 'empty',
  }),
  rebuild({
    name: 'changed-little-app',
    title: 'restore and export, one file changed of a 5 MB app over 150 MB of dependencies, layers kept',
    aim: 6,
    app: 'little',
    layers: [{ tree: 'deps', types: 'launch,cache' }],
    change: 'app',
    volume: 'kept',
  }),
  rebuild({
    name: 'changed-app',
    title: 'restore and export, one file changed of a 150 MB app, layers kept',
    aim: 3,
    app: 'small',
    layers: LAYERS,
    change: 'app',
    volume: 'kept',
  }),
  rebuild({
    name: 'changed-layer',
    title: 'restore and export, one file of a 150 MB dependency layer changed, layers kept',
    aim: 3,
    app: 'small',
    layers: LAYERS,
    change: 'deps',
    volume: 'kept',
  }),
  {
    name: 'cache-image',
    async run(context) {
      const title = 'export, nothing cached, with a cache image (T1)'
      const samples = await context.inTurn(
        context.lifecycles.map((lifecycle) => {
          const name = `cache-image-${lifecycle.name}`
          const place = placeOf(context, lifecycle, { name, app: 'small', layers: LAYERS, cache: 'image' })
          return {
            who: lifecycle.name,
            before: async () => {
              await context.world.registry.fresh()
              place.emptyLayers()
              await place.phases('analyzer', 'detector', 'builder')
            },
            run: () => place.phase('exporter'),
          }
        }),
      )
      return [{ title, aim: { kind: 'faster', who: 'ours', times: 4 }, peak: 200, samples }]
    },
  },
]

function rebuild(options: Rebuild): Case {
  return {
    name: options.name,
    async run(context): Promise<readonly Row[]> {
      await context.world.registry.fresh()
      const contestants: Contestant[] = []
      for (const lifecycle of context.lifecycles)
        contestants.push(await rebuilding(context, lifecycle, options))
      const samples = await context.inTurn(contestants)
      const aim = { kind: 'faster', who: 'ours', times: options.aim } as const
      return [{ title: options.title, aim, peak: 200, samples }]
    },
  }
}

/** A contestant that has built once. The builder's own time between the two phases is not counted. */
export async function rebuilding(
  context: BenchContext,
  lifecycle: Lifecycle,
  options: Pick<Rebuild, 'name' | 'app' | 'layers' | 'change' | 'volume'>,
): Promise<Contestant> {
  const { name, change, volume } = options
  const place = placeOf(context, lifecycle, { ...options, name: `${name}-${lifecycle.name}` })
  if (change === 'deps') place.secondVersion('deps')
  await place.phases('analyzer', 'detector', 'restorer', 'builder', 'exporter')
  let edition = 0
  return {
    who: lifecycle.name,
    before: async () => {
      if (volume === 'empty') place.emptyLayers()
      if (change === 'app') editTree(place.app, ++edition)
      if (change === 'deps') place.changeLayer('deps')
      await place.phases('analyzer', 'detector')
    },
    run: async (): Promise<Measured> => {
      const restored = await place.phase('restorer')
      await place.phase('builder')
      return sum([restored, await place.phase('exporter')])
    },
  }
}

/** With an app of its own, which may be edited: it is the builder's, as platforms copy it. */
function placeOf(
  { world }: BenchContext,
  lifecycle: Lifecycle,
  options: {
    readonly name: string
    readonly app: TreeName
    readonly layers: readonly Layer[]
    readonly cache?: 'image'
  },
): Workplace {
  const app = join(world.folder, `${options.name}-app`)
  execFileSync('cp', ['-a', world.tree(options.app), app])
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', `${world.user.uid}:${world.user.gid}`, app])
  return new Workplace(world, lifecycle, { ...options, app })
}
