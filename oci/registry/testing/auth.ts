import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Faults } from './faults.ts'

/** Who may do what at a test registry. */
export type TestAuth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly users: Readonly<Record<string, string>> }
  | {
      readonly kind: 'bearer'
      readonly users: Readonly<Record<string, string>>
      /** Identity tokens that a POST exchanges. */
      readonly identityTokens?: readonly string[]
      /** What those who give no credentials get. Default nothing. */
      readonly anonymous?: 'pull'
      /** Seconds; said and kept. Default 300. */
      readonly life?: number
      /** Repositories that these users may only pull from. */
      readonly readOnly?: readonly string[]
    }

interface Grant {
  readonly scopes: readonly string[]
  readonly expires: number
}

export interface TokenAnswer {
  readonly status: number
  readonly body: object
}

export interface Gate {
  /** Undefined when the request may pass, else the value of WWW-Authenticate, or a refusal for good. */
  check(
    request: IncomingMessage,
    repository: string,
    action: 'pull' | 'push' | 'delete',
  ): string | 'denied' | undefined
  token(method: string, url: URL, authorization: string | undefined, form: URLSearchParams): TokenAnswer
  /** Every token that was given out is over. */
  expireTokens(): void
  /** The scopes of each token request, in order. */
  readonly asked: string[][]
}

export function createGate(auth: TestAuth, faults: Faults, origin: () => string): Gate {
  const grants = new Map<string, Grant>()
  const asked: string[][] = []
  const users = auth.kind === 'none' ? {} : auth.users
  const known = (authorization: string | undefined) => {
    const pair = /^Basic (.+)$/.exec(authorization ?? '')?.[1]
    const [user, ...rest] = Buffer.from(pair ?? '', 'base64')
      .toString('utf8')
      .split(':')
    return (
      pair !== undefined && user !== undefined && Object.hasOwn(users, user) && users[user] === rest.join(':')
    )
  }
  const challenge = (repository: string, actions: string) =>
    `Bearer realm="${faults.realm ?? `${origin()}/token`}",service="test registry, local",scope="repository:${repository}:${actions}"`

  const allowed = (scope: string, identified: boolean): boolean => {
    if (auth.kind !== 'bearer') return false
    const [, repository = '', actions = ''] = scope.split(':')
    const pullOnly = actions === 'pull'
    if (!identified) return auth.anonymous === 'pull' && pullOnly
    return pullOnly || !(auth.readOnly ?? []).includes(repository)
  }
  const granted = (scope: string, identified: boolean): string => {
    if (allowed(scope, identified)) return scope
    return scope.replace(/:[^:]*$/, allowed(pull(scope), identified) ? ':pull' : ':')
  }
  const checkToken = (header: string | undefined, repository: string, action: Action): Demanded => {
    const actions = { pull: 'pull', push: 'pull,push', delete: 'pull,push,delete' }[action]
    const token = /^Bearer (.+)$/.exec(header ?? '')?.[1]
    const grant = token === undefined ? undefined : grants.get(token)
    if (grant === undefined || grant.expires < Date.now()) return challenge(repository, actions)
    const scope = grant.scopes.find((entry) => entry.startsWith(`repository:${repository}:`))
    if (scope === undefined) return challenge(repository, actions)
    return (scope.split(':')[2] ?? '').split(',').includes(action) ? undefined : 'denied'
  }
  const identify = (post: boolean, authorization: string | undefined, form: URLSearchParams): boolean => {
    const identities = auth.kind === 'bearer' ? (auth.identityTokens ?? []) : []
    if (post) return identities.includes(form.get('refresh_token') ?? '')
    const pair = Buffer.from((authorization ?? '').slice('Basic '.length), 'base64').toString('utf8')
    return known(authorization) || identities.some((identity) => pair.endsWith(`:${identity}`))
  }

  return {
    asked,
    expireTokens: () => grants.clear(),
    check(request, repository, action) {
      const header = request.headers.authorization
      if (auth.kind === 'none') return undefined
      if (auth.kind === 'bearer') return checkToken(header, repository, action)
      return known(header) ? undefined : 'Basic realm="test"'
    },
    token(method, url, authorization, form) {
      const post = method === 'POST'
      if (auth.kind !== 'bearer') return { status: 404, body: {} }
      if (post && faults.noTokenPost !== undefined) return { status: faults.noTokenPost, body: {} }
      const scopes = post ? (form.get('scope') ?? '').split(' ') : url.searchParams.getAll('scope')
      asked.push(scopes)
      const identified = identify(post, authorization, form)
      if (!identified && (authorization !== undefined || post)) return { status: 401, body: refused() }
      const life = auth.life ?? 300
      const token = randomUUID()
      grants.set(token, {
        scopes: scopes.map((scope) => granted(scope, identified)),
        expires: Date.now() + life * 1000,
      })
      return { status: 200, body: { [post ? 'access_token' : 'token']: token, expires_in: life } }
    },
  }
}

type Action = 'pull' | 'push' | 'delete'
/** The value of WWW-Authenticate, a refusal for good, or nothing. */
type Demanded = string | 'denied' | undefined

function pull(scope: string): string {
  return scope.replace(/:[^:]*$/, ':pull')
}

function refused(): object {
  return { errors: [{ code: 'UNAUTHORIZED', message: 'unknown user or wrong password' }] }
}
