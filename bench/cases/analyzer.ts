import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { BenchContext, Case, Fact } from '../case.ts'
import type { Lifecycle } from '../lifecycles.ts'
import type { Registry } from '../registry.ts'
import { Workplace } from '../workplace.ts'

/** What every answer is held back, so that what is asked for at once shows as such. */
const DELAY_MS = 40

/** How often the analyzer asks a registry, and how many of its questions wait for an answer before. */
export const ANALYZER: Case = {
  name: 'analyzer',
  async run(context) {
    const counted = new Map<string, readonly Exchange[]>()
    for (const lifecycle of context.lifecycles)
      counted.set(lifecycle.name, await exchanges(context, lifecycle))
    const ours = counted.get('ours') ?? []
    const reference = counted.get('reference')
    const facts: Fact[] = [
      {
        title: "the analyzer's requests to a registry, with an earlier image",
        aim: 'at most half of the reference’s',
        ours: `${ours.length}`,
        ...(reference === undefined ? {} : { reference: `${reference.length}` }),
        isMet: ours.length * 2 <= (reference?.length ?? Number.POSITIVE_INFINITY),
      },
      {
        title: 'of them one after another',
        aim: 'at most 4',
        ours: `${depth(ours)}`,
        ...(reference === undefined ? {} : { reference: `${depth(reference)}` }),
        isMet: depth(ours) <= 4,
      },
    ]
    return facts
  },
}

interface Exchange {
  readonly begin: number
  readonly end: number
}

/** How many exchanges there are of which each begins after the one before has ended. */
export function depth(exchanges: readonly Exchange[]): number {
  let count = 0
  let ended = Number.NEGATIVE_INFINITY
  for (const { begin, end } of exchanges.toSorted((a, b) => a.end - b.end)) {
    if (begin < ended) continue
    count++
    ended = end
  }
  return count
}

async function exchanges({ world }: BenchContext, lifecycle: Lifecycle): Promise<readonly Exchange[]> {
  await world.registry.fresh()
  const slow = await slowed(world.registry)
  try {
    const name = `analyzer-${lifecycle.name}`
    const place = new Workplace({ ...world, registry: slow.registry }, lifecycle, {
      name,
      app: world.tree('little'),
      layers: [],
    })
    await place.phases('analyzer', 'detector', 'builder', 'exporter')
    place.emptyLayers()
    slow.exchanges.length = 0
    await place.phase('analyzer')
    return [...slow.exchanges]
  } finally {
    await slow.close()
  }
}

/** The registry behind a server that passes everything on, and notes when. */
async function slowed(registry: Registry) {
  const exchanges: Exchange[] = []
  const [hostname, port] = registry.host.split(':')
  const server = createServer((incoming, outgoing) => {
    const begin = performance.now()
    outgoing.on('finish', () => exchanges.push({ begin, end: performance.now() }))
    const { method, url: path, headers } = incoming
    const onward = request({ hostname, port, method, path, headers }, async (answer) => {
      await wait(DELAY_MS)
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const runImage = registry.runImage.replace(registry.host, host)
  return {
    registry: { ...registry, host, runImage },
    exchanges,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  }
}
