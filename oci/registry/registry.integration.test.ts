import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certsD } from '../../core/http/certs-d.ts'
import { createHttpClient } from '../../core/http/client.ts'
import type { HttpClient } from '../../core/http/types.ts'
import { digestOf } from '../digest.ts'
import { parseReference } from '../reference.ts'
import type { CredentialSource } from './credentials/types.ts'
import { createRegistry } from './registry.ts'
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  makeCertificates,
  startDockerRegistry,
  TEST_PASSWORD,
  TEST_USER,
} from './testing/docker-registry.ts'
import { startTestRegistry } from './testing/server.ts'
import { clientSuite, codeOf, type Peer, read, sourceOf } from './testing/suite.ts'

const login: CredentialSource = async () => ({ kind: 'basic', username: TEST_USER, password: TEST_PASSWORD })

interface Kind extends DockerRegistryOptions {
  /** Its certificate is not known; it was declared insecure. */
  readonly insecure?: boolean
}

const kinds: readonly [string, Kind][] = [
  ['plain', {}],
  ['with htpasswd', { htpasswd: true }],
  ['with TLS of a private authority', { tls: true }],
  ['with TLS and htpasswd', { tls: true, htpasswd: true }],
  ['with TLS, declared insecure', { tls: true, htpasswd: true, insecure: true }],
]

describe.each(kinds)('docker-registry %s', (title, options) => {
  let server: DockerRegistry
  let http: HttpClient
  let peer: Peer

  beforeAll(async () => {
    server = await startDockerRegistry(options)
    const trusted = server.authority !== undefined && options.insecure !== true
    http = createHttpClient(trusted ? { certificates: [server.authority ?? ''] } : {})
    const registry = createRegistry({
      http,
      ...(options.htpasswd === true ? { credentials: login } : {}),
      ...(options.insecure === true ? { insecure: [server.host] } : {}),
    })
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

    it('trusts the authority that certs.d has for the host', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'slipway-certs-d-'))
      await mkdir(join(directory, server.host))
      await writeFile(join(directory, server.host, 'ca.crt'), server.authority ?? '')
      const own = createHttpClient({ hostTls: certsD([directory]) })
      const registry = createRegistry({
        http: own,
        ...(options.htpasswd === true ? { credentials: login } : {}),
      })
      await registry.repository(parseReference(`${server.host}/suite/certs-d`)).verifyAccess('write')
      await own.close()
      await rm(directory, { recursive: true })
    })
  }

  if (options.htpasswd === true && options.insecure !== true) {
    it('is denied without credentials, and says so', async () => {
      const registry = createRegistry({ http })
      const repository = registry.repository(parseReference(`${server.host}/suite/denied`))
      expect(await codeOf(repository.verifyAccess('read'))).toBe('OCI_ACCESS_DENIED')
      expect(await codeOf(repository.verifyAccess('write'))).toBe('OCI_ACCESS_DENIED')
      expect(await codeOf(repository.getManifest('latest'))).toBe('OCI_ACCESS_DENIED')
    })
  }
})

const named = process.env.TEST_REGISTRY ?? ''

describe.skipIf(named === '')('the registry at TEST_REGISTRY (skipped where none is named)', () => {
  let http: HttpClient
  let peer: Peer

  beforeAll(() => {
    http = createHttpClient()
    peer = { host: named, registry: createRegistry({ http }) }
  })
  afterAll(() => http.close())

  clientSuite('open', () => peer)
})

it('trusts no certificate of a storage, unless that was declared insecure too', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-insecure-'))
  await makeCertificates(directory)
  const [cert = '', key = ''] = await Promise.all(
    ['server.pem', 'server.key'].map((name) => readFile(join(directory, name), 'utf8')),
  )
  await using server = await startTestRegistry({ tls: { cert, key } })
  server.faults.redirectBlobs = true
  const http = createHttpClient()
  const open = (...insecure: string[]) =>
    createRegistry({ http, insecure, retry: { attempts: 1 } }).repository(
      parseReference(`${server.host}/suite/insecure`),
    )
  const bytes = Buffer.from('what is stored')
  await open(server.host).putBlob(sourceOf(bytes, 'known'))
  const { host: storage } = new URL(server.storageUrl)
  expect(await codeOf(read(open(server.host).openBlob(digestOf(bytes))))).toBe('HTTP_TLS_FAILED')
  expect((await read(open(server.host, storage).openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
  const from = createRegistry({ http, insecure: [server.host] })
  const [one, two] = ['one', 'two'].map((name) =>
    from.repository(parseReference(`${server.host}/suite/${name}`)),
  )
  await one?.putBlob(sourceOf(bytes, 'known'))
  expect(one && (await two?.mountBlob(digestOf(bytes), one))).toBe(true)
  await http.close()
  await rm(directory, { recursive: true })
})

it('shows the certificate that certs.d has for a host that asks who we are', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-certs-d-'))
  const authority = await makeCertificates(directory)
  const [cert, key] = await Promise.all(
    ['server.pem', 'server.key'].map((name) => readFile(join(directory, name), 'utf8')),
  )
  const server = createServer({ cert, key, ca: authority, requestCert: true }, (_, response) => {
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const ping = async (http: HttpClient) => {
    const response = await http.send({ method: 'GET', url: `https://${host}/v2/` })
    await response.discard()
    await http.close()
    return response.status
  }
  const own = join(directory, 'certs.d', host)
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'ca.crt'), authority)
  const connect = () => createHttpClient({ hostTls: certsD([join(directory, 'certs.d')]) })
  await expect(ping(connect())).rejects.toThrow()
  await writeFile(join(own, 'client.cert'), cert ?? '')
  await writeFile(join(own, 'client.key'), key ?? '')
  expect(await ping(connect())).toBe(200)
  await new Promise((resolve) => server.close(resolve))
  await rm(directory, { recursive: true })
})
