import type { AddressInfo } from 'node:net'
import { createApp } from './app.js'
import { log } from './log.js'

const server = createApp().listen(Number(process.env.PORT ?? 8080), (error) => {
  if (error) throw error
  log.info({ port: (server.address() as AddressInfo).port }, 'listening')
})

// A platform ends an app with SIGTERM: no new connections, those that are open are answered to their end.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'stopping')
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}
