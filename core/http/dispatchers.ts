import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import { SlipwayError } from '../error.ts'
import { proxySelector } from './no-proxy.ts'
import { redact } from './redact.ts'
import type { HostTls, HttpOptions } from './types.ts'

/** Loaded lazily, with undici: see client.ts. Pools of connections, one per origin and way of verifying it, direct or through a proxy. */
export interface Dispatchers {
  for(url: URL, use: { readonly insecureTls?: boolean; readonly direct?: boolean }): Dispatcher
  close(): Promise<void>
}

export function createDispatchers(options: HttpOptions): Dispatchers {
  const byKey = new Map<string, Dispatcher>()
  const proxyFor = proxySelector(options.proxy ?? {})
  const trust = trustStore(options)
  return {
    for(url, { insecureTls = false, direct = false }) {
      const key = `${url.origin} ${insecureTls} ${direct}`
      let dispatcher = byKey.get(key)
      if (dispatcher === undefined) {
        dispatcher = create(options, url, insecureTls, direct ? undefined : proxyFor(url), trust)
        byKey.set(key, dispatcher)
      }
      return dispatcher
    },
    async close() {
      const open = [...byKey.values()]
      byKey.clear()
      await Promise.all(open.map((dispatcher) => dispatcher.close()))
    },
  }
}

function create(
  options: HttpOptions,
  url: URL,
  insecureTls: boolean,
  proxy: string | undefined,
  trust: TrustStore,
): Dispatcher {
  const timeout = options.timeouts?.connect ?? 30_000
  const connect = {
    timeout,
    ...(url.protocol === 'https:'
      ? { secureContext: trust(url.host), rejectUnauthorized: !insecureTls }
      : {}),
  }
  // HTTP/1.1 only: a few streams gain nothing from h2, and proxies make trouble with it.
  const common = { connections: options.connectionsPerOrigin ?? 8, allowH2: false, pipelining: 1 }
  if (proxy === undefined) return new Pool(url.origin, { ...common, connect })
  const address = parseProxy(proxy)
  return new ProxyAgent({
    uri: proxy,
    ...common,
    connectTimeout: timeout,
    requestTls: connect,
    ...(address.protocol === 'https:' ? { proxyTls: { secureContext: trust(address.host) } } : {}),
  })
}

function parseProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:', 'socks5:'].includes(url.protocol) || url.hostname === '') {
    throw new SlipwayError('HTTP_PROXY_INVALID', `not the address of a proxy: ${redact(text)}`, {
      subject: redact(text),
      hint: 'HTTP_PROXY and HTTPS_PROXY look like http://proxy.example:3128',
      class: 'usage',
    })
  }
  return url
}

/** TLS context of a host; undefined for Node's own defaults. Reading the authorities takes milliseconds: it is done once. */
type TrustStore = (host: string) => SecureContext | undefined

function trustStore(options: HttpOptions): TrustStore {
  const contexts = new Map<string, SecureContext | undefined>()
  return (host) => {
    const special = options.hostTls?.(host)
    const key = special === undefined ? '' : host
    if (!contexts.has(key)) contexts.set(key, contextOf(options.certificates ?? [], special))
    return contexts.get(key)
  }
}

function contextOf(certificates: readonly string[], host: HostTls | undefined): SecureContext | undefined {
  const extra = [...certificates, ...(host?.certificates ?? [])]
  const client = host?.clientCertificate
  if (extra.length === 0 && client === undefined) return undefined
  try {
    return createSecureContext({
      ca: [...getCACertificates('default'), ...extra],
      ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    })
  } catch (error) {
    throw new SlipwayError('HTTP_CA_INVALID', 'a trusted certificate cannot be used: it is not valid PEM', {
      cause: error,
      class: 'usage',
      hint: 'check the files of SSL_CERT_FILE, SSL_CERT_DIR and certs.d',
    })
  }
}
