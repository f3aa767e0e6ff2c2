import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLayout } from '../../oci/layout/layout.ts'
import { readImage } from '../../oci/read-image.ts'
import { identifier, parseReference, repositoryName } from '../../oci/reference.ts'
import { startDockerRegistry } from '../../oci/registry/testing/docker-registry.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { validateImage } from '../../oci/testing/validate-image.ts'
import { type LoadImage, makeImages } from './images.ts'
import { folder, type Worker, worker } from './processes.ts'
import type { WorkerTask } from './worker.ts'

/** `npm run test:load` asks for all of it. */
const FULL = process.env.SLIPWAY_LOAD === 'full'
const LOAD = FULL
  ? { images: 64, repositories: 16, processes: 8 }
  : { images: 16, repositories: 4, processes: 4 }

/** Processes that all start at once, each with its part of the images. */
async function workers(
  task: Omit<WorkerTask, 'images'>,
  images: readonly LoadImage[],
): Promise<readonly Worker[]> {
  const names = images.map(({ name }) => name)
  const { processes } = LOAD
  const started = await Promise.all(
    Array.from({ length: processes }, (_, at) =>
      // Neighbours share a repository, and are pushed by different processes.
      worker({ ...task, images: names.filter((_, index) => index % processes === at) }),
    ),
  )
  for (const each of started) each.start()
  return started
}

function times(digests: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const digest of digests) counts.set(digest, (counts.get(digest) ?? 0) + 1)
  return counts
}

function blobsOf(images: readonly LoadImage[]): readonly string[] {
  const all = images.flatMap(({ image: { manifest } }) => [manifest.config, ...manifest.layers])
  return [...new Set(all.map(({ digest }) => digest))].toSorted()
}

/** Pulls everything into a new store, from as many processes, and compares. */
async function expectAllThere(images: readonly LoadImage[]): Promise<void> {
  const store = folder()
  const pulls = await workers({ work: 'pull', store, shares: true }, images)
  await Promise.all(pulls.map(({ done }) => done))
  const layout = openLayout(store)
  for (const { name, image } of images) {
    const reference = parseReference(name)
    const pulled = await readImage(layout.repository(repositoryName(reference)), identifier(reference))
    if (pulled === undefined) throw new Error(`${name} is lost`)
    expect(pulled.digest).toBe(image.digest)
    await validateImage(pulled)
  }
  expect(readdirSync(join(store, '.slipway/leases'))).toEqual([])
}

interface Peer extends AsyncDisposable {
  readonly host: string
  /** Where requests are counted. */
  readonly counted?: TestRegistry
}

const peers: readonly [string, () => Promise<Peer>][] = [
  [
    'a registry that counts',
    async () => {
      const counted = await startTestRegistry()
      return { host: counted.host, counted, [Symbol.asyncDispose]: () => counted.close() }
    },
  ],
  ['docker-registry', startDockerRegistry],
]

describe.each(peers)(`${LOAD.images} pushes at once from ${LOAD.processes} processes to %s`, (_, start) => {
  let peer: Peer
  beforeEach(async () => {
    peer = await start()
  })
  afterEach(() => peer[Symbol.asyncDispose]())

  /** Digests of the blobs that a kind of request was about. */
  const asked = (counted: TestRegistry, pattern: RegExp, method: string) =>
    counted.log
      .filter((request) => request.method === method)
      .flatMap(({ path }) => pattern.exec(decodeURIComponent(path))?.[1] ?? [])

  test('with a store that they share each blob is sent once, and pulled once', async () => {
    const store = folder()
    const images = await makeImages(store, peer.host, LOAD)
    const pushes = await workers({ work: 'push', store, shares: true }, images)
    await Promise.all(pushes.map(({ done }) => done))
    const once = blobsOf(images).map((digest) => [digest, 1])
    expect([...times(pushes.flatMap(({ sent }) => sent))].toSorted()).toEqual(once)
    expect(readdirSync(join(store, '.slipway/leases'))).toEqual([])
    const { counted } = peer
    if (counted !== undefined) {
      expect([...times(asked(counted, /[?&]digest=(sha256:\w+)/, 'PUT'))].toSorted()).toEqual(once)
      counted.resetCounters()
    }
    await expectAllThere(images)
    if (counted !== undefined) {
      expect([...times(asked(counted, /\/blobs\/(sha256:\w+)$/, 'GET'))].toSorted()).toEqual(once)
    }
  })

  test('without one nothing is lost', async () => {
    const store = folder()
    const images = await makeImages(store, peer.host, LOAD)
    const pushes = await workers({ work: 'push', store, shares: false }, images)
    await Promise.all(pushes.map(({ done }) => done))
    expect([...times(pushes.flatMap(({ sent }) => sent)).keys()].toSorted()).toEqual(blobsOf(images))
    await expectAllThere(images)
  })

  // Its leases have to expire, which takes longer than a test of every day should.
  if (!FULL) return
  test('one of them is killed: the others end, and so does it when it is started again', async () => {
    const store = folder()
    const images = await makeImages(store, peer.host, LOAD)
    const [killed, ...others] = await workers({ work: 'push', store, shares: true }, images)
    if (killed === undefined) throw new Error('there are no processes')
    const ended = killed.done.catch(() => 'killed')
    // In the middle of its work.
    await killed.begun
    killed.child.kill('SIGKILL')
    expect(await ended).toBe('killed')
    await Promise.all(others.map(({ done }) => done))
    const again = await workers({ work: 'push', store, shares: true }, images)
    await Promise.all(again.map(({ done }) => done))
    await expectAllThere(images)
  })
})
