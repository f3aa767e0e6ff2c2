import { SlipwayError } from '../../../core/error.ts'
import { redact } from '../../../core/http/redact.ts'
import { DEFAULT_REGISTRY } from '../../reference.ts'
import type { Credential } from './types.ts'

/**
 * Docker's `config.json`, podman's `auth.json` and Kubernetes' `.dockerconfigjson` are one format: `auths`, `credsStore`,
 * `credHelpers`. Pure: reading files and running helpers is docker.ts's.
 */
export interface DockerConfig {
  /** By registry, or by a repository's path below it (`registry.example/team`); keys are without scheme and `/v1/`. */
  readonly auths: ReadonlyMap<string, Credential>
  readonly credHelpers: ReadonlyMap<string, string>
  readonly credsStore?: string
}

/** The name under which Docker keeps the credential of Docker Hub. */
export const HUB_KEY = 'https://index.docker.io/v1/'

/**
 * @param path for messages
 * @throws SlipwayError `OCI_CREDENTIALS_INVALID`; no part of the text is in it
 */
export function parseDockerConfig(text: string, path: string): DockerConfig {
  const config = object(parseJson(text, path)) ?? fail(path, 'it is not a JSON object')
  const auths = new Map<string, Credential>()
  for (const [key, value] of Object.entries(object(config.auths) ?? {})) {
    const credential = parseEntry(object(value) ?? {}, key, path)
    if (credential !== undefined) auths.set(normalizeKey(key), credential)
  }
  const credHelpers = new Map<string, string>()
  for (const [key, value] of Object.entries(object(config.credHelpers) ?? {})) {
    if (typeof value === 'string' && value !== '') credHelpers.set(normalizeKey(key), value)
  }
  const store = config.credsStore
  return { auths, credHelpers, ...(typeof store === 'string' && store !== '' ? { credsStore: store } : {}) }
}

/** Without scheme, `/v1/` and trailing slash, the names of Docker Hub made one: `docker.io/v1/` → `index.docker.io`. */
export function normalizeKey(key: string): string {
  const bare = key
    .trim()
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
  const slash = bare.indexOf('/')
  const host = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase()
  const path = slash < 0 ? '' : bare.slice(slash)
  return `${HUB.has(host) ? DEFAULT_REGISTRY : host}${path}`
}

const HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])

/**
 * The keys that a repository's credential may stand under, the most particular first (podman's and the kubelet's rule):
 * `r/team/app` → `r/team/app`, `r/team`, `r`. The port belongs to the registry.
 */
export function candidateKeys(registry: string, repository: string): string[] {
  const parts = repository.split('/')
  const host = normalizeKey(registry)
  const keys = parts.map((_, index) => `${host}/${parts.slice(0, parts.length - index).join('/')}`)
  return [...keys, host]
}

/** The credential of the best fitting key; a key's host may hold `*` for one part of a name, as the kubelet's may. */
export function lookUp<T>(entries: ReadonlyMap<string, T>, keys: readonly string[]): T | undefined {
  const patterns = [...entries].filter(([key]) => key.includes('*'))
  for (const key of keys) {
    const exact = entries.get(key)
    if (exact !== undefined) return exact
    const fitting = patterns.find(([pattern]) => matches(pattern, key))
    if (fitting !== undefined) return fitting[1]
  }
  return undefined
}

function matches(pattern: string, key: string): boolean {
  const [patternHost = '', ...patternPath] = pattern.split('/')
  const [host = '', ...path] = key.split('/')
  if (patternPath.join('/') !== path.join('/')) return false
  const expected = patternHost.split('.')
  const actual = host.split('.')
  return (
    expected.length === actual.length &&
    expected.every((part, index) => part === '*' || part === actual[index])
  )
}

function parseEntry(
  entry: Readonly<Record<string, unknown>>,
  key: string,
  path: string,
): Credential | undefined {
  const text = (name: string) => {
    const value = entry[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const pair = text('auth')
  const decoded = pair === undefined ? undefined : decodePair(pair, key, path)
  const username = decoded?.username ?? text('username')
  const password = decoded?.password ?? text('password')
  const registryToken = text('registrytoken')
  if (registryToken !== undefined) return { kind: 'bearer', token: registryToken }
  const identity = text('identitytoken')
  if (identity !== undefined) {
    return { kind: 'identity-token', token: identity, ...(username === undefined ? {} : { username }) }
  }
  return username === undefined ? undefined : { kind: 'basic', username, password: password ?? '' }
}

function decodePair(auth: string, key: string, path: string): { username: string; password: string } {
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon <= 0) fail(path, `the auth of ${JSON.stringify(redact(key))} is not base64 of user:password`)
  // Docker once padded passwords with NUL bytes.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which holds passwords.
    return fail(path, 'it is not JSON')
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

function fail(path: string, why: string): never {
  throw new SlipwayError(
    'OCI_CREDENTIALS_INVALID',
    `cannot use the registry credentials in ${path}: ${why}`,
    {
      subject: path,
      hint: 'log in anew (docker login), or remove the file',
      class: 'usage',
    },
  )
}
