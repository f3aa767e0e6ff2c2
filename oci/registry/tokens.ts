import { httpError } from '../../core/http/errors.ts'
import { isPrivateAddress } from '../../core/http/no-proxy.ts'
import { redact } from '../../core/http/redact.ts'
import { type RedirectPolicy, safeRedirects, sendFollowing } from '../../core/http/redirects.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../core/http/types.ts'
import type { Demand } from './challenge.ts'
import type { Credential } from './credentials/types.ts'
import type { Endpoint } from './endpoint.ts'
import { refusal } from './failure.ts'
import { covers, mergeScopes } from './scope.ts'

/** Bearer tokens (Docker's token protocol): fetched once for each need, kept while they live. */

type Bearer = Extract<Demand, { kind: 'bearer' }>

interface Token {
  readonly value: string
  readonly scopes: readonly string[]
  readonly credential: Credential | undefined
  readonly expires: number
}

export interface Tokens {
  /** A token that allows `scopes`, from memory or from the realm. One request is in flight for the same need. */
  get(demand: Bearer, credential: Credential | undefined, scopes: readonly string[]): Promise<string>
  /** A token was refused: it is not used again. */
  forget(value: string): void
}

/** Answers of realms are small; more is an attempt on our memory. */
const BODY_LIMIT = 64 * 1024
/** What the protocol says where `expires_in` is missing. */
const DEFAULT_LIFE = 60
/** Statuses by which a realm says that it knows no POST (GCR 404, Artifactory 401, ACR 400). */
const NO_POST = new Set([400, 401, 404, 405])

/** @param client one that retries; @param endpoint the registry that the tokens are for */
export function createTokens(client: HttpClient, endpoint: Endpoint, now: () => number = Date.now): Tokens {
  let kept: Token[] = []
  const inFlight = new Map<string, Promise<Token>>()
  /** Refresh tokens that a realm gave in exchange for the configured one. */
  const refreshed = new Map<Credential, string>()
  const numbers = new Map<Credential | undefined, number>()

  const numberOf = (credential: Credential | undefined): number => {
    const known = numbers.get(credential) ?? numbers.size
    numbers.set(credential, known)
    return known
  }

  return {
    async get(demand, credential, needed) {
      const time = now()
      kept = kept.filter((token) => token.expires > time)
      const found = kept.find((token) => token.credential === credential && covers(token.scopes, needed))
      if (found !== undefined) return found.value
      const scopes = mergeScopes(needed)
      const key = [numberOf(credential), demand.realm, demand.service ?? '', ...scopes].join(' ')
      let pending = inFlight.get(key)
      if (pending === undefined) {
        pending = fetchToken(client, endpoint, demand, credential, scopes, refreshed, now).finally(() =>
          inFlight.delete(key),
        )
        inFlight.set(key, pending)
        const token = await pending
        kept.push(token)
      }
      return (await pending).value
    },
    forget(value) {
      kept = kept.filter((token) => token.value !== value)
    },
  }
}

async function fetchToken(
  client: HttpClient,
  endpoint: Endpoint,
  demand: Bearer,
  credential: Credential | undefined,
  scopes: readonly string[],
  refreshed: Map<Credential, string>,
  now: () => number,
): Promise<Token> {
  const realm = checkRealm(demand.realm, endpoint)
  const asked = now()
  const response = await ask(client, endpoint, realm, demand.service, credential, scopes, refreshed)
  if (response.status !== 200) {
    throw (await refusal(response, 'get a token from', redact(realm.origin + realm.pathname))).error
  }
  const answer = (await response.json(BODY_LIMIT)) as Readonly<Record<string, unknown>> | null
  const value = [answer?.access_token, answer?.token].find(isToken)
  if (value === undefined) {
    throw httpError(
      'OCI_TOKEN_INVALID',
      `no usable token came from ${redact(realm.href)}`,
      redact(realm.origin),
    )
  }
  if (credential?.kind === 'identity-token' && isToken(answer?.refresh_token)) {
    refreshed.set(credential, answer.refresh_token)
  }
  const life =
    typeof answer?.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_LIFE
  // A tenth is kept back for the way of the request that will carry it.
  return { value, scopes, credential, expires: asked + life * 900 }
}

/** A header must not be broken by what a realm answers. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
}

async function ask(
  client: HttpClient,
  endpoint: Endpoint,
  realm: URL,
  service: string | undefined,
  credential: Credential | undefined,
  scopes: readonly string[],
  refreshed: Map<Credential, string>,
): Promise<HttpResponse> {
  if (credential?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'slipway',
      refresh_token: refreshed.get(credential) ?? credential.token,
      scope: scopes.join(' '),
      ...(service === undefined ? {} : { service }),
    })
    const response = await client.send({
      method: 'POST',
      url: realm.href,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
      insecureTls: endpoint.insecureTls && realm.hostname === endpoint.origin.hostname,
    })
    if (!NO_POST.has(response.status)) return response
    await response.discard()
  }
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.append('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const pair = basicPair(credential)
  const request: HttpRequest & { method: 'GET' } = {
    method: 'GET',
    url: url.href,
    headers: pair === undefined ? {} : { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
    insecureTls: endpoint.insecureTls && realm.hostname === endpoint.origin.hostname,
  }
  const policy: RedirectPolicy = (hop) => {
    checkRealm(hop.to.href, endpoint)
    return safeRedirects(hop)
  }
  return await sendFollowing(client, request, policy)
}

/** `user:password` for a Basic header; an identity token goes where the password stands (ACR, containerd). */
export function basicPair(credential: Credential | undefined): string | undefined {
  if (credential?.kind === 'basic') return `${credential.username}:${credential.password}`
  if (credential?.kind === 'identity-token') return `${credential.username ?? '<token>'}:${credential.token}`
  return undefined
}

/**
 * A realm gets our credentials, and a registry names it: it must be encrypted unless the registry itself is not, and must
 * not be a private address other than the registry's own.
 * @throws SlipwayError `OCI_REALM_REFUSED`
 */
export function checkRealm(text: string, endpoint: Endpoint): URL {
  const registry = endpoint.origin
  const refuse = (why: string) =>
    httpError(
      'OCI_REALM_REFUSED',
      `the registry ${registry.host} sends us for a token to ${redact(text)}, ${why}`,
      registry.host,
    )
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw refuse('which is no URL')
  if (url.username !== '' || url.password !== '') throw refuse('which holds a user name')
  if (url.protocol === 'http:' && registry.protocol === 'https:') throw refuse('which is not encrypted')
  if (url.hostname !== registry.hostname && isPrivateAddress(url.hostname)) {
    throw refuse('which is a private address of another host')
  }
  url.hash = ''
  return url
}
