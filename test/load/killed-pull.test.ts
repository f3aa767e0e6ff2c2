import { randomBytes } from 'node:crypto'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { readImage } from '../../oci/read-image.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { entriesLayer } from '../../oci/tar/walk.ts'
import { validateImage } from '../../oci/testing/validate-image.ts'
import { addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'
import { folder, worker } from './processes.ts'

const MIB = 1 << 20
const SIZE = 32 * MIB
/** So much that more than {@link WORTH_RESUMING} has come through the sockets, whatever they hold. */
const STALL_AFTER = 24 * MIB
const WORTH_RESUMING = MIB

/** Hands everything on, but the first large answer only in part: then it says nothing more. */
async function stallingProxy(server: TestRegistry) {
  const stalled = Promise.withResolvers<void>()
  let isFirst = true
  const proxy = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming
    const [host, port] = server.host.split(':')
    const onwards = request({ host, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      const isLarge = Number(answer.headers['content-length']) > STALL_AFTER
      if (method !== 'GET' || !isLarge || !isFirst) return void answer.pipe(outgoing)
      isFirst = false
      let passed = 0
      answer.on('data', (chunk: Buffer) => {
        if (passed >= STALL_AFTER) return
        passed += chunk.length
        outgoing.write(chunk, () => passed >= STALL_AFTER && stalled.resolve())
      })
    })
    onwards.on('error', () => outgoing.destroy())
    incoming.pipe(onwards)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  return { host: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, stalled: stalled.promise }
}

test('a process that is killed while it pulls: the next one takes over, and goes on where it was', async () => {
  const server = await startTestRegistry()
  onTestFinished(() => server.close())
  const http = createHttpClient()
  onTestFinished(() => http.close())
  const there = createRegistry({ http }).repository(parseReference(`${server.host}/team/app:1`))
  const owner = { uid: 0, gid: 0 }
  const content = randomBytes(SIZE)
  const layer = entriesLayer([{ type: 'file', name: '/large', mode: 0o644, content, ...owner }])
  const image = await writeImage({
    repository: there,
    tags: ['1'],
    layers: [addedLayer(await writeLayer(layer, there))],
    config: { os: 'linux', architecture: 'amd64' },
  })

  const proxy = await stallingProxy(server)
  const store = folder()
  const name = `${proxy.host}/team/app:1`
  const killed = await worker({ work: 'pull', store, shares: true, images: [name] })
  const waiting = await worker({ work: 'pull', store, shares: true, images: [name] })
  killed.start()
  await proxy.stalled
  waiting.start()
  const ended = killed.done.catch(() => 'killed')
  killed.child.kill('SIGKILL')
  expect(await ended).toBe('killed')
  await waiting.done

  const layerGets = server.log.filter(
    ({ method, path }) =>
      method === 'GET' && path.endsWith(`/blobs/${image.manifest.layers[0]?.digest ?? ''}`),
  )
  const begins = layerGets.map(({ headers }) => Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0))
  expect(begins).toEqual([0, expect.any(Number)])
  expect(begins[1]).toBeGreaterThanOrEqual(WORTH_RESUMING)
  const reference = parseReference(name)
  const pulled = await readImage(openLayout(store).repository(repositoryName(reference)), '1')
  expect(pulled?.digest).toBe(image.digest)
  if (pulled !== undefined) await validateImage(pulled)
})
