import { proxyAddress, secretUrls } from './address.ts'
import type { ProxyAddresses, RegistryCredentials } from './settings.ts'

/** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` of an environment; lower case wins, as in curl and Go. */
export function proxyOfEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly proxy: ProxyAddresses
  readonly credentials: Pick<RegistryCredentials, 'urls'>
} {
  const urls = secretUrls()
  const value = (name: string) => env[name.toLowerCase()] || env[name] || ''
  const all = value('ALL_PROXY')
  const http = proxyAddress(value('HTTP_PROXY') || all, urls)
  const https = proxyAddress(value('HTTPS_PROXY') || all, urls)
  const noProxy = value('NO_PROXY').trim()
  return {
    proxy: {
      ...(http === undefined ? {} : { http }),
      ...(https === undefined ? {} : { https }),
      ...(noProxy === '' ? {} : { noProxy }),
    },
    credentials: { urls: urls.urls },
  }
}

/** The first of several places that names a proxy for each kind of request. */
export function firstProxies(...all: readonly ProxyAddresses[]): ProxyAddresses {
  return Object.assign({}, ...all.toReversed())
}
