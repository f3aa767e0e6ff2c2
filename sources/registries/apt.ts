import { aptProxies, parseAptConf, parseDeb822Sources, parseSourcesList } from '../debian/apt-settings.ts'
import { proxyAddress, secretUrls, written } from './address.ts'
import type { AptSettings, RegistryCredentials } from './settings.ts'

/** The texts of apt's configuration, as they stand on the machine. */
export interface AptFiles {
  /** sources.list and sources.list.d/*.list. */
  readonly lists: readonly string[]
  /** sources.list.d/*.sources. */
  readonly sources: readonly string[]
  /** apt.conf and apt.conf.d/*. */
  readonly configurations: readonly string[]
  /** auth.conf and auth.conf.d/*.conf. */
  readonly logins: readonly string[]
}

/** Addresses, suites and components of binary packages, and the proxies of apt. Undefined settings where there are no sources. */
export function aptConfiguration(files: AptFiles): {
  readonly settings: AptSettings | undefined
  readonly credentials: Pick<RegistryCredentials, 'urls' | 'apt'>
} {
  const urls = secretUrls()
  const sources = [
    ...files.lists.flatMap(parseSourcesList),
    ...files.sources.flatMap(parseDeb822Sources),
  ].flatMap(({ uri, suite, components }) => {
    const address = urls.address(uri)
    return address === undefined ? [] : [{ uri: address, suite, components }]
  })
  const named = aptProxies(parseAptConf(files.configurations.join('\n')))
  const http = proxyAddress(named.http ?? '', urls)
  const https = proxyAddress(named.https ?? '', urls)
  const proxy = {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
  }
  const logins = files.logins.map((text) => text.trim()).filter((text) => text !== '')
  return {
    settings: sources.length === 0 ? undefined : { sources, ...((http ?? https) ? { proxy } : {}) },
    credentials: { urls: urls.urls, ...(logins.length === 0 ? {} : { apt: `${logins.join('\n')}\n` }) },
  }
}

/** sources.list with these sources; keys of the archive are the reader's own, so no `signed-by`. */
export function writeSourcesList(
  settings: AptSettings,
  credentials: Pick<RegistryCredentials, 'urls'>,
): string {
  return settings.sources
    .map(
      ({ uri, suite, components }) =>
        `${['deb', written(uri, credentials), suite, ...components].join(' ')}\n`,
    )
    .join('')
}

/** apt.conf with the proxies; empty where there are none. */
export function writeAptConf(settings: AptSettings, credentials: Pick<RegistryCredentials, 'urls'>): string {
  return (['http', 'https'] as const)
    .map((scheme) => {
      const proxy = settings.proxy?.[scheme]
      return proxy === undefined ? '' : `Acquire::${scheme}::Proxy "${written(proxy, credentials)}";\n`
    })
    .join('')
}
