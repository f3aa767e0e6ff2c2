import { fileURLToPath } from 'node:url'
import compression from 'compression'
import express, { type Express } from 'express'
import helmet from 'helmet'
import { pinoHttp } from 'pino-http'
import { z } from 'zod'
import { log } from './log.js'

const Entry = z.object({
  name: z.string().trim().min(1).max(40),
  text: z.string().trim().min(1).max(200),
})

export function createApp(): Express {
  const entries: z.infer<typeof Entry>[] = [{ name: 'Slipway', text: 'Hello from an image that no Dockerfile made.' }]
  const app = express()
  app.set('view engine', 'ejs')
  app.set('views', fileURLToPath(new URL('../views', import.meta.url)))
  // Whether the app is behind https is for the platform to say, so nothing here insists on it.
  const headers = helmet({
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    strictTransportSecurity: false,
  })
  app.use(headers, compression(), pinoHttp({ logger: log }), express.urlencoded({ extended: false }))

  app.get('/', (_request, response) => {
    response.render('index', { entries, node: process.version, environment: process.env.NODE_ENV ?? 'none' })
  })
  app.post('/', (request, response) => {
    const entry = Entry.safeParse(request.body)
    if (entry.success) entries.unshift(entry.data)
    response.redirect(303, '/')
  })
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })
  return app
}
