import { type SecretUrls, secretUrls, written } from './address.ts'
import { parseNpmIni } from './ini.ts'
import { splitCertificates } from './pem.ts'
import type { NpmSettings, ProxyAddresses, RegistryCredentials } from './settings.ts'

/** One level of npm's configuration (a file, or the environment): option → value, arrays joined by two line ends. */
export type NpmLevel = ReadonlyMap<string, string>

type Variables = Readonly<Record<string, string | undefined>>

/** Options besides the addresses that a build may know, and what their values look like: none can hold a secret or a path. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  'strict-ssl': /^(true|false)$/,
  'replace-registry-host': /^(always|never|npmjs)$/,
  'fetch-retries': /^\d{1,9}$/,
  'fetch-retry-factor': /^\d{1,9}$/,
  'fetch-retry-maxtimeout': /^\d{1,9}$/,
  'fetch-retry-mintimeout': /^\d{1,9}$/,
  'fetch-timeout': /^\d{1,9}$/,
  maxsockets: /^\d{1,9}$/,
}
const SECRETS = ['_authToken', '_auth', 'username', '_password', 'email']

/** Reads the text of one .npmrc; `${VARIABLE}` is taken from `env`, `${VARIABLE?}` is empty where it is not set. */
export function parseNpmrc(text: string, env: Variables): NpmLevel {
  const level = new Map<string, string>()
  for (const entry of parseNpmIni(text)) {
    if (entry.section !== '') continue
    const value = expand(entry.value, env)
    const list = entry.key.endsWith('[]')
    const key = expand(list ? entry.key.slice(0, -2) : entry.key, env)
    const earlier = list ? level.get(key) : undefined
    level.set(key, earlier === undefined ? value : `${earlier}\n\n${value}`)
  }
  return level
}

/** The options that an environment sets: `npm_config_registry`, `NPM_CONFIG_STRICT_SSL` … Empty values do not count. */
export function npmLevelOfEnvironment(env: Variables): NpmLevel {
  const level = new Map<string, string>()
  for (const [name, value] of Object.entries(env)) {
    if (!/^npm_config_/i.test(name) || value === undefined || value === '') continue
    const rest = name.slice('npm_config_'.length)
    // Keys of a registry or scope keep their case and underscores, as in npm.
    const key = /^(\/\/|@)/.test(rest) ? rest : rest.toLowerCase().replace(/(?!^)_/g, '-')
    level.set(key, value)
  }
  return level
}

/** `${NAME}` and `${NAME?}` outside of `\${…}`; an unknown variable stays as it is, so that it is seen. */
function expand(text: string, env: Variables): string {
  return text.replace(
    /(\\*)\$\{([^${}?]+)(\?)?\}/g,
    (whole, slashes: string, name: string, empty?: string) => {
      if (slashes.length % 2 === 1) return whole.slice((slashes.length + 1) / 2)
      return `${slashes.slice(slashes.length / 2)}${env[name] ?? (empty === '?' ? '' : `\${${name}}`)}`
    },
  )
}

export interface NpmConfiguration {
  readonly settings: NpmSettings
  readonly credentials: Pick<RegistryCredentials, 'npm' | 'urls'>
  readonly proxy: ProxyAddresses
  /** PEM certificates of `ca`. */
  readonly certificates: readonly string[]
  /** Path of `cafile`, as it stands. */
  readonly caFile?: string
}

/** The settings that npm would use, from its levels; the first one wins. */
export function npmConfiguration(...levels: readonly NpmLevel[]): NpmConfiguration {
  const merged = new Map<string, string>()
  for (const level of levels.toReversed()) for (const [key, value] of level) merged.set(key, value)
  const urls = secretUrls()
  const registry = urls.address(merged.get('registry') ?? '')
  const scopes: Record<string, string> = {}
  const secrets: Record<string, string> = {}
  for (const [key, value] of merged) {
    const scope = /^(@[^:/\s]+):registry$/.exec(key)?.[1]
    const address = scope === undefined ? undefined : urls.address(value)
    if (scope !== undefined && address !== undefined) scopes[scope] = address
    // An unexpanded variable is no credential; npm itself would send it as it stands.
    if (!value.includes('${') && isRegistrySecret(key)) secrets[key] = value
    // The form from before npm 9, without a registry, belongs to the default one.
    if (SECRETS.includes(key) && registry !== undefined) secrets[`${registryKey(registry)}:${key}`] ??= value
  }
  const options = Object.entries(OPTIONS).flatMap(([key, allowed]) => {
    const value = merged.get(key)
    return value !== undefined && allowed.test(value) ? [[key, value] as const] : []
  })
  const caFile = merged.get('cafile')
  return {
    settings: {
      ...(registry === undefined ? {} : { registry }),
      scopes,
      options: Object.fromEntries(options),
    },
    credentials: { npm: secrets, urls: urls.urls },
    proxy: proxyOf(merged, urls),
    certificates: splitCertificates((merged.get('ca') ?? '').replaceAll('\\n', '\n')),
    ...(caFile === undefined ? {} : { caFile }),
  }
}

function isRegistrySecret(key: string): boolean {
  return key.startsWith('//') && SECRETS.some((secret) => key.endsWith(`:${secret}`))
}

/** The key of a registry in .npmrc: its address without the scheme, with a slash at the end. */
function registryKey(address: string): string {
  return address.replace(/^https?:/i, '').replace(/\/*$/, '/')
}

function proxyOf(merged: NpmLevel, urls: SecretUrls): ProxyAddresses {
  const http = urls.address(merged.get('proxy') ?? merged.get('http-proxy') ?? '')
  const https = urls.address(merged.get('https-proxy') ?? '') ?? http
  const noProxy = merged.get('noproxy')?.replaceAll('\n\n', ',')
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(noProxy === undefined || noProxy === '' ? {} : { noProxy }),
  }
}

/** The text of a .npmrc with these settings; entries sorted. Credentials are written where they are given. */
export function writeNpmrc(
  settings: NpmSettings,
  credentials: Pick<RegistryCredentials, 'npm' | 'urls'>,
): string {
  const entries: [string, string][] = [
    ...(settings.registry === undefined
      ? []
      : [['registry', written(settings.registry, credentials)] as [string, string]]),
    ...sorted(settings.scopes).map(([scope, address]): [string, string] => [
      `${scope}:registry`,
      written(address, credentials),
    ]),
    ...sorted(settings.options),
    ...sorted(credentials.npm),
  ]
  return entries.map(([key, value]) => `${key}=${quote(value)}\n`).join('')
}

function sorted(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Quoted where npm would read it as something else. */
function quote(value: string): string {
  return /^[\x21\x24-\x26\x28-\x3a\x3c-\x5b\x5d-\x7e]+$/.test(value) ? value : JSON.stringify(value)
}

/**
 * The value of an Authorization header for `url`, from the entry of .npmrc with the longest path above it, or undefined
 * where none fits: a credential only goes to the registry it was given for.
 */
export function npmAuthorization(
  credentials: Pick<RegistryCredentials, 'npm'>,
  url: string,
): string | undefined {
  const { host, pathname } = new URL(url)
  const parts = pathname.split('/').slice(1)
  for (let length = parts.length; length >= 0; length--) {
    const path = parts.slice(0, length).join('/')
    const key = `//${host}/${path === '' ? '' : path.replace(/\/*$/, '/')}`
    const value = (name: string) =>
      credentials.npm[`${key}:${name}`] ?? credentials.npm[`${key.slice(0, -1)}:${name}`]
    const token = value('_authToken')
    if (token !== undefined) return `Bearer ${token}`
    const auth = value('_auth')
    if (auth !== undefined) return `Basic ${auth}`
    const [username, password] = [value('username'), value('_password')]
    if (username !== undefined && password !== undefined) {
      const plain = Buffer.from(password, 'base64').toString('utf8')
      return `Basic ${Buffer.from(`${username}:${plain}`).toString('base64')}`
    }
  }
  return undefined
}
