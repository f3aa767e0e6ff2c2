import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HttpClient } from '../../core/http/index.ts'
import { written } from '../../sources/registries/address.ts'
import { fromBindings } from '../../sources/registries/bindings.ts'
import { newCertificates, splitCertificates } from '../../sources/registries/pem.ts'
import { firstProxies, proxyOfEnvironment } from '../../sources/registries/proxy.ts'
import { mergeCredentials, type RegistryAccess } from '../../sources/registries/settings.ts'
import type { Platform } from './platform.ts'

/** The way to package registries: what the platform's bindings and the environment say of addresses, proxies and certificates. */
export interface Network {
  /** Settings of package registries; proxies of the environment before those of bindings. */
  access(): Promise<RegistryAccess>
  /** A client that retries and trusts the bindings' certificates; made at the first call and closed after the build. */
  http(): Promise<HttpClient>
  /**
   * Variables for programs that download: proxies and `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE` and their like with a file of all
   * certificates, empty where the platform gives none.
   */
  variables(): Promise<Readonly<Record<string, string>>>
}

export interface NetworkOptions {
  readonly platform: Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly userAgent: string
  readonly temporary: () => Promise<string>
}

export function createNetwork(options: NetworkOptions): Network & { close(): Promise<void> } {
  let access: Promise<RegistryAccess> | undefined
  let client: Promise<HttpClient> | undefined
  let variables: Promise<Readonly<Record<string, string>>> | undefined
  const network = {
    access: () => (access ??= readAccess(options)),
    http: () => (client ??= openClient(network.access(), options)),
    variables: () => (variables ??= writeVariables(network.access(), options)),
    close: async () => (await client)?.close(),
  }
  return network
}

async function readAccess({ platform, env }: NetworkOptions): Promise<RegistryAccess> {
  const { settings, credentials } = fromBindings(await platform.bindings(), env)
  const environment = proxyOfEnvironment(env)
  return {
    settings: { ...settings, proxy: firstProxies(environment.proxy, settings.proxy ?? {}) },
    credentials: mergeCredentials(credentials, environment.credentials),
  }
}

async function openClient(
  access: Promise<RegistryAccess>,
  { userAgent }: NetworkOptions,
): Promise<HttpClient> {
  const { createHttpClient, withRetry } = await import('../../core/http/index.ts')
  const { settings } = await access
  return withRetry(
    createHttpClient({
      userAgent,
      proxy: await completeProxies(access),
      ...(settings.certificates.length === 0 ? {} : { certificates: settings.certificates }),
    }),
  )
}

async function completeProxies(access: Promise<RegistryAccess>) {
  const { settings, credentials } = await access
  const { http, https, noProxy } = settings.proxy ?? {}
  return {
    ...(http === undefined ? {} : { http: written(http, credentials) }),
    ...(https === undefined ? {} : { https: written(https, credentials) }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
}

async function writeVariables(access: Promise<RegistryAccess>, options: NetworkOptions) {
  const { http, https, noProxy } = await completeProxies(access)
  const variables: Record<string, string> = {}
  if (http !== undefined) variables.HTTP_PROXY = variables.http_proxy = http
  if (https !== undefined) variables.HTTPS_PROXY = variables.https_proxy = https
  if (noProxy !== undefined) variables.NO_PROXY = variables.no_proxy = noProxy

  const { certificates } = (await access).settings
  if (certificates.length > 0) {
    const given = options.env.NODE_EXTRA_CA_CERTS ?? ''
    const own = given === '' ? '' : await readFile(given, 'utf8').catch(() => '')
    const file = join(await options.temporary(), 'certificates.pem')
    await writeFile(file, newCertificates([...splitCertificates(own), ...certificates], []).join(''))
    variables.NODE_EXTRA_CA_CERTS = file
  }
  return variables
}
