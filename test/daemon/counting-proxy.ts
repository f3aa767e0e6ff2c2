import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A socket before an engine's that counts what goes through it. */
export interface CountingProxy extends AsyncDisposable {
  readonly socket: string
  /** Bytes since the last call. */
  count(): { readonly sent: number; readonly received: number }
}

/** Only its owner, root, may open it: whoever gives that up needs the connections that he has. */
export async function countingProxy(engine: string): Promise<CountingProxy> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-proxy-'))
  const socket = join(directory, 'proxy.sock')
  const open = new Set<Socket>()
  let sent = 0
  let received = 0
  const server = createServer((client) => {
    const upstream = connect(engine)
    client.on('data', (chunk) => (sent += chunk.length))
    upstream.on('data', (chunk) => (received += chunk.length))
    for (const end of [client, upstream]) {
      open.add(end)
      end.on('close', () => {
        client.destroy()
        upstream.destroy()
        open.delete(end)
      })
      end.on('error', () => end.destroy())
    }
    client.pipe(upstream)
    upstream.pipe(client)
  })
  const umask = process.umask(0o177)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  process.umask(umask)
  return {
    socket,
    count() {
      const counted = { sent, received }
      sent = 0
      received = 0
      return counted
    },
    async [Symbol.asyncDispose]() {
      for (const end of open) end.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
