import type { Emit } from '../../core/event.ts'
import { safeRedirects, sendFollowing } from '../../core/http/redirects.ts'
import { type Retrier, withRetry } from '../../core/http/retry.ts'
import type {
  HttpClient,
  HttpRequest,
  HttpResponse,
  Method,
  RequestBody,
  Timeouts,
} from '../../core/http/types.ts'
import { type Demand, demandOf } from './challenge.ts'
import type { Credential, CredentialSource } from './credentials/types.ts'
import { type Endpoint, endpoints, findEndpoint } from './endpoint.ts'
import { mergeScopes } from './scope.ts'
import { basicPair, createTokens, type Tokens } from './tokens.ts'
import { createHeed } from './warnings.ts'

/** A request to a registry, before it is known where the registry is and who we are to it. */
export interface RegistryRequest {
  readonly method: Method
  /** Below the registry (`/v2/…`), or a Location that it answered. */
  readonly target: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  readonly contentLength?: number
  readonly timeouts?: Omit<Timeouts, 'connect'>
  /** The repository it is about: credentials may hang on it. */
  readonly repository: string
  /** What a token must allow, the repository's own scope first. */
  readonly scopes: readonly string[]
  /**
   * Part of a larger unit that is tried again as a whole: sent once, and a 401 is handed out after what it demands has
   * been noted, so that the unit's next try has a fresh token.
   */
  readonly once?: boolean
}

/** All that is known of one registry while talking to it: endpoint, demands, tokens. Shared by its repositories. */
export interface Session {
  readonly registry: string
  /** Sends with credentials on the registry's own origin and there alone; follows redirects of GET and HEAD. */
  send(request: RegistryRequest): Promise<HttpResponse>
  /** Where the registry answers; asks it when that is not known yet. */
  endpoint(repository: string): Promise<Endpoint>
}

export interface SessionOptions {
  readonly http: HttpClient
  readonly registry: string
  readonly insecure: boolean
  /** Hosts (with port) whose certificates are not verified, wherever a registry sends us: storage, Location, realm. */
  isInsecureHost(host: string): boolean
  readonly credentials: CredentialSource
  readonly retrier: Retrier
  readonly emit: Emit
}

/** Answers to demands in one exchange: the registry's first, and one for a scope that it names afterwards. */
const MAX_ANSWERS = 2

export function createSession(options: SessionOptions): Session {
  const once = trusting(options.http.once ?? options.http, options.isInsecureHost)
  // What the registry asks for (Retry-After) holds for uploads and requests alike, so both wait under its name.
  const own = new Set(
    [`https://${options.registry}`, `http://${options.registry}`].map((text) => new URL(text).origin),
  )
  const retrying = withRetry(
    once,
    {},
    {
      run: (origin, work, signal) =>
        options.retrier.run(own.has(origin) ? options.registry : origin, work, signal),
    },
  )
  const candidates = endpoints(options.registry, options.insecure)
  let known: Endpoint | undefined = candidates.length === 1 ? candidates[0] : undefined
  let demand: Demand | undefined
  let tokens: Tokens | undefined
  /** Further scopes that a registry demanded for a repository. */
  const demanded = new Map<string, readonly string[]>()
  /** The first exchange: others wait for what it learns rather than all being refused side by side. */
  let first: Promise<void> | undefined
  let learned = false

  const authorization = async (endpoint: Endpoint, request: RegistryRequest): Promise<string | undefined> => {
    if (demand === undefined) return undefined
    const credential = await options.credentials(options.registry, request.repository)
    if (credential?.kind === 'bearer') return `Bearer ${credential.token}`
    if (demand.kind === 'basic') return basicHeader(credential)
    tokens ??= createTokens(retrying, endpoint)
    const scopes = mergeScopes(demanded.get(request.repository) ?? [], request.scopes)
    return `Bearer ${await tokens.get(demand, credential, scopes)}`
  }

  /** Notes what a 401 demands. */
  const learn = (response: HttpResponse, request: RegistryRequest, used: string | undefined): void => {
    demand = demandOf(response.headers.all('www-authenticate')) ?? demand
    if (used?.startsWith('Bearer ') === true) tokens?.forget(used.slice('Bearer '.length))
    if (demand?.kind !== 'bearer' || demand.scope === undefined) return
    // Only about the repository itself: a registry must not make us ask for rights on others.
    const scopes = demand.scope
      .split(' ')
      .filter((scope) => scope.startsWith(`repository:${request.repository}:`))
    if (scopes.length > 0) {
      demanded.set(request.repository, mergeScopes(scopes, demanded.get(request.repository) ?? []))
    }
  }

  const discover = async (request: RegistryRequest): Promise<HttpResponse | undefined> => {
    const probe = isHarmless(request) ? request : ping(request)
    const { endpoint, response } = await options.retrier.run(options.registry, () =>
      findEndpoint(once, candidates, (endpoint) => assemble(endpoint, plain(probe), undefined)),
    )
    known = endpoint
    const missing = response.status === 404 && !(await hides(endpoint, request, response))
    if (probe === request && (response.status === 200 || missing)) return response
    if (response.status === 401) learn(response, request, undefined)
    await response.discard()
    return undefined
  }

  const heed = createHeed(options.registry, options.emit)

  const exchange = async (request: RegistryRequest, release: () => void): Promise<HttpResponse> => {
    const early = known === undefined ? await discover(request) : undefined
    if (early !== undefined) return heed(early)
    if (demand !== undefined) release()
    const endpoint = known as Endpoint
    const client = request.once === true ? once : retrying
    if (typeof request.target !== 'string' && request.target.origin !== endpoint.origin.origin) {
      return await transmit(client, assemble(endpoint, request, undefined))
    }
    return heed(await converse(client, endpoint, request, release))
  }

  /** Sends until nothing more is demanded, or nothing new can be answered. */
  const converse = async (
    client: HttpClient,
    endpoint: Endpoint,
    request: RegistryRequest,
    release: () => void,
  ): Promise<HttpResponse> => {
    let header = await authorization(endpoint, request)
    for (let answers = 0; ; answers++) {
      const response = await transmit(client, assemble(endpoint, request, header))
      if (!(await demands(endpoint, request, response, header))) return response
      release()
      const next = answers < MAX_ANSWERS ? await answer(endpoint, request, header) : undefined
      if (next === undefined) return response
      await response.discard()
      header = next
    }
  }

  /** Whether an answer asks who we are; what it demands has then been noted. A storage behind a redirect gets no answer. */
  const demands = async (
    endpoint: Endpoint,
    request: RegistryRequest,
    response: HttpResponse,
    used: string | undefined,
  ): Promise<boolean> => {
    const asked = response.status === 401 && new URL(response.url).origin === endpoint.origin.origin
    if (!asked) return await hides(endpoint, request, response)
    learn(response, request, used)
    return true
  }

  /**
   * Whether a refusal may only mean that we have not said who we are: a registry that lets everybody in may hide what is
   * not for everybody, without a demand. It is asked once what it demands of those who have a name.
   */
  let pinged = false
  const hides = async (
    endpoint: Endpoint,
    request: RegistryRequest,
    response: HttpResponse,
  ): Promise<boolean> => {
    if (pinged || demand !== undefined || (response.status !== 403 && response.status !== 404)) return false
    if ((await options.credentials(options.registry, request.repository)) === undefined) return false
    pinged = true
    const pong = await transmit(retrying, assemble(endpoint, ping(request), undefined))
    await pong.discard()
    if (pong.status === 401) learn(pong, request, undefined)
    return demand !== undefined
  }

  /** What to say to a 401; undefined where nothing new can be said, or where it is for the larger unit to start again. */
  const answer = async (
    endpoint: Endpoint,
    request: RegistryRequest,
    used: string | undefined,
  ): Promise<string | undefined> => {
    if (request.once === true && request.body !== undefined) return undefined
    const next = await authorization(endpoint, request)
    return next === used ? undefined : next
  }

  const send = async (request: RegistryRequest): Promise<HttpResponse> => {
    while (first !== undefined) await first
    if (learned) return await exchange(request, () => {})
    const { promise, resolve } = Promise.withResolvers<void>()
    first = promise
    const release = () => {
      learned = true
      first = undefined
      resolve()
    }
    try {
      const response = await exchange(request, release)
      release()
      return response
    } finally {
      // A first exchange that failed has taught nothing: the next one is the first.
      first = undefined
      resolve()
    }
  }

  return {
    registry: options.registry,
    send,
    endpoint: async (repository) => {
      if (known === undefined) {
        const response = await send({ method: 'GET', target: '/v2/', repository, scopes: [] })
        await response.discard()
      }
      return known as Endpoint
    },
  }
}

/** A client that verifies no certificate of hosts that were declared insecure. */
function trusting(client: HttpClient, isInsecureHost: (host: string) => boolean): HttpClient {
  return {
    send: (request) =>
      client.send(isInsecureHost(new URL(request.url).host) ? { ...request, insecureTls: true } : request),
    close: () => client.close(),
  }
}

/** May be sent to find out where the registry is: it changes nothing. */
function isHarmless(request: RegistryRequest): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined
}

/** The question whether a registry is there and what it demands. */
function ping({ repository, scopes }: RegistryRequest): RegistryRequest {
  return { method: 'GET', target: '/v2/', repository, scopes }
}

function plain(request: RegistryRequest): RegistryRequest {
  const { timeouts: _, ...rest } = request
  return rest
}

function basicHeader(credential: Credential | undefined): string | undefined {
  const pair = basicPair(credential)
  return pair === undefined ? undefined : `Basic ${Buffer.from(pair).toString('base64')}`
}

function assemble(
  endpoint: Endpoint,
  request: RegistryRequest,
  authorization: string | undefined,
): HttpRequest {
  const url = typeof request.target === 'string' ? new URL(request.target, endpoint.origin) : request.target
  return {
    method: request.method,
    url: url.href,
    headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
    insecureTls: endpoint.insecureTls && url.hostname === endpoint.origin.hostname,
    ...(request.body === undefined ? {} : { body: request.body }),
    ...(request.contentLength === undefined ? {} : { contentLength: request.contentLength }),
    ...(request.timeouts === undefined ? {} : { timeouts: request.timeouts }),
  }
}

async function transmit(client: HttpClient, request: HttpRequest): Promise<HttpResponse> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return await client.send(request)
  return await sendFollowing(client, { ...request, method: request.method }, safeRedirects)
}
