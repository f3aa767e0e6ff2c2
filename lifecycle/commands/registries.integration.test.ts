import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/registry.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { randomImage } from '../../oci/testing/index.ts'
import { type TestLifecycle, testLifecycle, testPlace } from './testing/lifecycle.ts'

/** What a machine says of registries, as the shipped lifecycle heeds it. */

let lifecycle: TestLifecycle
let registry: TestRegistry
beforeAll(async () => {
  lifecycle = await testLifecycle()
  registry = await startTestRegistry()
})
afterAll(async () => {
  await registry.close()
  lifecycle[Symbol.dispose]()
})

describe('registries.conf', () => {
  test('names the mirror that the run image comes from, and a registry that is blocked', async () => {
    const http = createHttpClient()
    const repository = createRegistry({ http }).repository(
      parseReference(`${registry.host}/mirror/team/base`),
    )
    const { digest } = await randomImage({ repository, tags: ['run'] })
    await http.close()
    const place = testPlace(lifecycle)
    place.write(
      'registries.conf',
      `[[registry]]
prefix = "upstream.invalid"
[[registry.mirror]]
location = "${registry.host}/mirror"
[[registry]]
prefix = "blocked.invalid"
blocked = true
`,
    )
    const analyze = (runImage: string) =>
      lifecycle.run(
        'analyzer',
        ['-layers', place.path('layers'), '-run-image', runImage, `${registry.host}/team/app`],
        { env: { CONTAINERS_REGISTRIES_CONF: place.path('registries.conf') } },
      )
    const ended = await analyze('upstream.invalid/team/base:run')
    expect(ended).toMatchObject({ code: 0 })
    expect(place.read('layers/analyzed.toml')).toContain(`upstream.invalid/team/base@${digest}`)
    const blocked = await analyze('blocked.invalid/team/base')
    expect(blocked.stdout).toContain('registries.conf blocks blocked.invalid/team/base')
    expect(blocked.code).not.toBe(0)
    place.write('registries.conf', '[[registry]]\nprefix = 1\n')
    const invalid = await analyze('upstream.invalid/team/base:run')
    expect(invalid.stdout).toContain('ERROR: failed to read registries.conf: ')
  })
})

describe('the identity of a cloud', () => {
  let service: Server
  const seen: { target: string; authorization: string }[] = []
  beforeAll(async () => {
    // The service of the identities, and the proxy to everything else, which leads nowhere.
    service = createServer((request, response) => {
      seen.push({
        target: String(request.headers['x-amz-target']),
        authorization: String(request.headers.authorization),
      })
      response.end('{"authorizationData":[{"authorizationToken":"QVdTOnNlY3JldA=="}]}')
    }).on('connect', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    service.closeAllConnections()
    await new Promise((resolve) => service.close(resolve))
  })

  test.each([
    ['is asked for about a registry of that cloud', {}, 1],
    ['is left alone where it was turned off', { CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON: 'true' }, 0],
  ])('%s', async (_, env, requests) => {
    seen.length = 0
    const place = testPlace(lifecycle)
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    const ended = await lifecycle.run(
      'analyzer',
      [
        '-layers',
        place.path('layers'),
        '-run-image',
        `${registry.host}/run`,
        '123456789012.dkr.ecr.eu-west-3.amazonaws.com/team/app',
      ],
      {
        env: {
          ...env,
          HTTPS_PROXY: url,
          AWS_ACCESS_KEY_ID: 'AKIDTEST',
          AWS_SECRET_ACCESS_KEY: 'do-not-show',
          AWS_ENDPOINT_URL_ECR: url,
        },
      },
    )
    expect(seen).toHaveLength(requests)
    for (const { target, authorization } of seen) {
      expect(target).toBe('AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken')
      expect(authorization).toContain('Credential=AKIDTEST/')
    }
    expect(ended.code).not.toBe(0)
    expect(ended.stdout + ended.stderr).not.toMatch(/do-not-show|QVdTOnNl|AWS:secret/)
  })
})
