import { type ErrorCode, errorChain, SlipwayError } from '../../core/error.ts'
import { ensureStatus, type HttpClient, sendFollowing } from '../../core/http/index.ts'
import { redact } from '../../core/http/redact.ts'
import { written } from '../registries/address.ts'
import { npmAuthorization } from '../registries/npmrc.ts'
import { NO_CREDENTIALS, type RegistryCredentials } from '../registries/settings.ts'

/** An npm registry as this build may use it. */
export interface NpmRegistry {
  /** Address of the registry, as npm's own configuration names it. */
  readonly url: string
  readonly credentials?: Pick<RegistryCredentials, 'npm' | 'urls'>
  /** npm's `strict-ssl`; certificates are not verified where it is false. */
  readonly strictSsl?: boolean
}

/** One published version of a package, as far as installing it needs. */
export interface NpmVersion {
  readonly name: string
  readonly version: string
  /** Where its archive is, below the registry that answered. */
  readonly tarball: string
  /** Subresource integrity: `sha512-…`, several parted by blanks. */
  readonly integrity: string
  readonly deprecated: boolean
}

const LARGEST_PACKUMENT = 64 * 1024 * 1024
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i

/**
 * All versions of a package that carry a digest, in the order the registry gives them (the abbreviated metadata).
 * @param http should retry (core/http `withRetry`).
 * @throws SlipwayError `SOURCE_NPM_PACKAGE_MISSING`, `SOURCE_NPM_ACCESS_DENIED`, `SOURCE_NPM_ANSWER_INVALID`,
 *   `SOURCE_NPM_UNREACHABLE`, `HTTP_STATUS`
 */
export async function fetchVersions(
  http: HttpClient,
  registry: NpmRegistry,
  name: string,
): Promise<readonly NpmVersion[]> {
  if (!NAME.test(name)) throw new TypeError(`no package name: ${name}`)
  const base = registry.url.replace(/\/*$/, '/')
  const url = base + name.replace('/', '%2f')
  const accept = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8'
  const response = await send(http, registry, url, { accept })
  if (response.status === 404) {
    await response.discard()
    throw failure('SOURCE_NPM_PACKAGE_MISSING', `the npm registry has no package ${name}`, url, {
      hint: 'Use a mirror that carries it, or add it to the mirror.',
    })
  }
  await ensureStatus(response, 200)
  return readPackument(await response.json(LARGEST_PACKUMENT), name, base, url)
}

/** A GET with the credentials of the registry's own address, wherever redirects lead. */
export async function send(
  http: HttpClient,
  registry: NpmRegistry,
  url: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const authorization = authorizationFor(registry, url)
  const request = {
    method: 'GET' as const,
    url,
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    insecureTls: registry.strictSsl === false,
  }
  const response = await sendFollowing(http, request).catch((error: unknown) => {
    throw failure('SOURCE_NPM_UNREACHABLE', `the npm registry cannot be reached: ${errorChain(error)}`, url, {
      cause: error,
      hint: 'Check the network, the proxy (HTTPS_PROXY, NO_PROXY) and the registry that npm is set up with (npm config get registry).',
    })
  })
  if (response.status === 401 || response.status === 403) {
    await response.discard()
    throw failure('SOURCE_NPM_ACCESS_DENIED', `the npm registry answered ${response.status}`, url, {
      hint: 'Give the build the credentials of the registry: a binding of type npmrc with _authToken, or --host-credentials.',
    })
  }
  return response
}

function authorizationFor(registry: NpmRegistry, url: string): string | undefined {
  const credentials = registry.credentials ?? NO_CREDENTIALS
  const found = npmAuthorization(credentials, url)
  if (found !== undefined) return found
  const complete = new URL(written(registry.url, credentials))
  if (complete.username === '' || complete.origin !== new URL(url).origin) return undefined
  const login = `${decodeURIComponent(complete.username)}:${decodeURIComponent(complete.password)}`
  return `Basic ${Buffer.from(login).toString('base64')}`
}

function readPackument(document: unknown, name: string, base: string, url: string): NpmVersion[] {
  const versions = field(document, 'versions')
  if (typeof versions !== 'object' || versions === null) {
    throw failure('SOURCE_NPM_ANSWER_INVALID', `no package metadata came for ${name}`, url, {
      hint: 'Something other than an npm registry answers at this address (a proxy, a login page).',
    })
  }
  return Object.entries(versions).flatMap(([version, manifest]): NpmVersion[] => {
    const dist = field(manifest, 'dist')
    const [tarball, integrity] = [field(dist, 'tarball'), field(dist, 'integrity')]
    if (typeof tarball !== 'string' || typeof integrity !== 'string' || !URL.canParse(tarball)) return []
    const deprecated = field(manifest, 'deprecated')
    return [
      {
        name,
        version,
        tarball: tarballAddress(base, name, tarball),
        integrity,
        deprecated: typeof deprecated === 'string' && deprecated !== '',
      },
    ]
  })
}

/**
 * A mirror often hands on metadata whose archives still point at where it copied from. Where the address has the usual
 * form `…/<name>/-/<file>.tgz`, the archive is asked for at the registry that answered.
 */
export function tarballAddress(base: string, name: string, tarball: string): string {
  const { pathname } = new URL(tarball)
  const at = pathname.replace(/%2f/gi, '/').replace(/%40/gi, '@').lastIndexOf(`/${name}/-/`)
  const file = pathname.split('/').at(-1) ?? ''
  return at >= 0 && /^[\w.~+-]+\.tgz$/.test(file) ? `${base}${name}/-/${file}` : tarball
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

export function failure(
  code: ErrorCode,
  message: string,
  url: string,
  more: { readonly hint?: string; readonly cause?: unknown } = {},
): SlipwayError {
  return new SlipwayError(code, message, { subject: redact(url), class: 'infrastructure', ...more })
}
