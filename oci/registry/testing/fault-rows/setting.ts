import type { EventBody } from '../../../../core/event.ts'
import { createHttpClient } from '../../../../core/http/client.ts'
import type { HttpClient } from '../../../../core/http/types.ts'
import { parseReference } from '../../../reference.ts'
import type { CredentialSource } from '../../credentials/types.ts'
import { createRegistry } from '../../registry.ts'
import type { Registry, RegistryRepository } from '../../types.ts'
import type { Faults, RequestKind } from '../faults.ts'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '../server.ts'
import { freshRepository } from '../suite.ts'

/** A test registry with faults, and a client that logs in to it and waits for nothing. */
export interface Setting {
  readonly server: TestRegistry
  readonly registry: Registry
  readonly repository: RegistryRepository
  readonly other: RegistryRepository
  /** Milliseconds of each wait that was left out. */
  readonly waits: number[]
  readonly events: EventBody[]
}

export const USERS = { builder: 'hunter2-secret' }
export const login: CredentialSource = async () => ({
  kind: 'basic',
  username: 'builder',
  password: 'hunter2-secret',
})
const BEARER: TestRegistryOptions = { auth: { kind: 'bearer', users: USERS } }

const opened: { close(): Promise<void> }[] = []

/** Ends every server and client of the rows that have run. */
export async function closeSettings(): Promise<void> {
  await Promise.all(opened.splice(0).map((one) => one.close()))
}

export function client(options: Parameters<typeof createHttpClient>[0] = {}): HttpClient {
  const http = createHttpClient(options)
  opened.push(http)
  return http
}

export async function server(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const started = await startTestRegistry(options)
  opened.push(started)
  return started
}

export interface SettingOptions extends TestRegistryOptions {
  readonly http?: HttpClient
  readonly credentials?: CredentialSource
  /** A name that the registry is spoken to by, over an imagined https. */
  readonly host?: string
}

export async function setting(faults: Faults = {}, options: SettingOptions = {}): Promise<Setting> {
  const started = await server({ ...BEARER, ...options })
  Object.assign(started.faults, faults)
  const waits: number[] = []
  const events: EventBody[] = []
  const real = options.http ?? client()
  const registry = createRegistry({
    http: options.host === undefined ? real : behind(options.host, started.url, real),
    credentials: options.credentials ?? login,
    emit: (event) => events.push(event),
    retry: { sleep: async (milliseconds) => waits.push(milliseconds) },
  })
  const peer = { host: options.host ?? started.host, registry }
  const repositories = { repository: freshRepository(peer), other: freshRepository(peer) }
  return { server: started, registry, ...repositories, waits, events }
}

/** The registry under a name, as a proxy that ends TLS shows it. Requests to it by http are not answered. */
function behind(host: string, url: string, http: HttpClient): HttpClient {
  return {
    ...http,
    send: async (request) => {
      const from = `https://${host}`
      if (!request.url.startsWith(`${from}/`)) return await http.send(request)
      const response = await http.send({ ...request, url: url + request.url.slice(from.length) })
      return { ...response, url: request.url }
    },
  }
}

/** Somebody else with the same registry and another client. */
export function another({ server: { host } }: Setting, credentials?: CredentialSource): RegistryRepository {
  const registry = createRegistry({
    http: client(),
    retry: { sleep: async () => {} },
    ...(credentials === undefined ? {} : { credentials }),
  })
  return freshRepository({ host, registry })
}

export function again(
  { server: { host } }: Setting,
  repository: RegistryRepository,
  credentials?: CredentialSource,
): RegistryRepository {
  const registry = createRegistry({ http: client(), ...(credentials === undefined ? {} : { credentials }) })
  return registry.repository(parseReference(`${host}/${repository.reference.repository}`))
}

export function count(started: TestRegistry, kind: RequestKind): number {
  return started.requests.get(kind) ?? 0
}

/** What a repository holds at the server. */
export function blobsAt({ server: { store } }: Setting, { reference }: RegistryRepository): string[] {
  return [...(store.repositories.get(reference.repository)?.blobs.keys() ?? [])]
}
