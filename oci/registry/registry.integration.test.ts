import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import type { HttpClient } from '../../core/http/types.ts'
import { parseReference } from '../reference.ts'
import type { CredentialSource } from './credentials/types.ts'
import { createRegistry } from './registry.ts'
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  startDockerRegistry,
  TEST_PASSWORD,
  TEST_USER,
} from './testing/docker-registry.ts'
import { clientSuite, codeOf, type Peer } from './testing/suite.ts'

const login: CredentialSource = async () => ({ kind: 'basic', username: TEST_USER, password: TEST_PASSWORD })

const kinds: readonly [string, DockerRegistryOptions][] = [
  ['plain', {}],
  ['with htpasswd', { htpasswd: true }],
  ['with TLS of a private authority', { tls: true }],
  ['with TLS and htpasswd', { tls: true, htpasswd: true }],
]

describe.each(kinds)('docker-registry %s', (title, options) => {
  let server: DockerRegistry
  let http: HttpClient
  let peer: Peer

  beforeAll(async () => {
    server = await startDockerRegistry(options)
    http = createHttpClient(server.authority === undefined ? {} : { certificates: [server.authority] })
    const registry = createRegistry({ http, ...(options.htpasswd === true ? { credentials: login } : {}) })
    peer = { host: server.host, registry }
  })
  afterAll(async () => {
    await http?.close()
    await server?.close()
  })

  clientSuite(title, () => peer)

  if (options.tls === true) {
    it('refuses a certificate that it does not know', async () => {
      const strange = createHttpClient()
      const registry = createRegistry({ http: strange, retry: { attempts: 1 } })
      const repository = registry.repository(parseReference(`${server.host}/suite/tls`))
      expect(await codeOf(repository.verifyAccess('read'))).toBe('HTTP_TLS_FAILED')
      await strange.close()
    })

    it('takes any certificate of a registry that was declared insecure', async () => {
      const strange = createHttpClient()
      const registry = createRegistry({
        http: strange,
        insecure: [server.host],
        ...(options.htpasswd === true ? { credentials: login } : {}),
      })
      await registry.repository(parseReference(`${server.host}/suite/tls`)).verifyAccess('write')
      await strange.close()
    })
  }

  if (options.htpasswd === true) {
    it('is denied without credentials, and says so', async () => {
      const registry = createRegistry({ http })
      const repository = registry.repository(parseReference(`${server.host}/suite/denied`))
      expect(await codeOf(repository.verifyAccess('read'))).toBe('OCI_ACCESS_DENIED')
      expect(await codeOf(repository.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
      expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_ACCESS_DENIED')
    })
  }
})
