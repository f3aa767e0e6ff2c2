import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestLifecycle, testLifecycle, testPlace } from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
let server: Server
const posted: string[] = []

beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    posted.push(Buffer.concat(chunks).toString())
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  lifecycle[Symbol.dispose]()
  await new Promise((resolve) => server.close(resolve))
})

test('a command that is traced posts its spans, leaves them in a file, and shows a buildpack nothing of it', async () => {
  const place = testPlace(lifecycle)
  place.buildpack('a/yes', { detect: 'env; exit 0' })
  place.order(['a/yes'])
  const { port } = server.address() as AddressInfo
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=secret',
  }
  const ended = await lifecycle.run('detector', [...place.detectFlags, '-log-level', 'debug'], { env })
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).not.toMatch(/OTEL|secret/)

  expect(posted).toHaveLength(1)
  const names = (text: string) =>
    [...text.matchAll(/"name":"((?:buildpack-)?detect)"/g)].map(([, name]) => name)
  expect(names(posted.join())).toEqual(['buildpack-detect', 'detect'])
  const file = readFileSync(join(place.directory, 'layers/tracing/lifecycle/detect.jsonl'), 'utf8')
  expect(names(file)).toEqual(['buildpack-detect', 'detect'])
})
