import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleLifecycle } from './bundle.mjs'

const CLONE = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
const servers: Server[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bundle.'))
  await bundleLifecycle({ clone: CLONE, dependencies: CLONE, version: '1.2.3', folder })
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
})

async function listening(server: Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('carries as much of undici as requests need, direct and through a proxy', async () => {
  const { Pool, ProxyAgent } = createRequire(import.meta.url)(
    join(folder, 'undici.cjs'),
  ) as typeof import('undici')
  const origin = await listening(createServer((_, response) => response.end('hello')))
  const tunnels: (string | undefined)[] = []
  const proxy = await listening(
    createServer().on('connect', ({ url }, socket, head) => {
      tunnels.push(url)
      const { hostname, port } = new URL(`http://${url}`)
      const through = connect(Number(port), hostname, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        through.write(head)
        through.pipe(socket).pipe(through)
      })
    }),
  )
  for (const dispatcher of [new Pool(origin), new ProxyAgent({ uri: proxy, proxyTunnel: true })]) {
    const answer = await dispatcher.request({ origin, method: 'GET', path: '/' })
    expect(await answer.body.text()).toBe('hello')
    await dispatcher.close()
  }
  expect(tunnels).toEqual([new URL(origin).host])
})
