/** Addresses of registries and proxies, with what is secret in them taken apart. */

/** Collects the complete forms of addresses while settings are read. */
export interface SecretUrls {
  /** The address without user name, password, query and fragment, or undefined when it is none of http or https. */
  address(text: string): string | undefined
  /** Complete forms by address, for those that lost something. */
  readonly urls: Readonly<Record<string, string>>
}

export function secretUrls(): SecretUrls {
  const urls: Record<string, string> = {}
  return {
    urls,
    address(text) {
      const url = parseUrl(text)
      if (url === undefined) return undefined
      const complete = url.href
      url.username = ''
      url.password = ''
      url.search = ''
      url.hash = ''
      if (url.href !== complete) urls[url.href] = complete
      return url.href
    },
  }
}

/** An address as it is written: complete where credentials may be given, else without them. */
export function written(
  address: string,
  credentials: { readonly urls: Readonly<Record<string, string>> },
): string {
  return Object.hasOwn(credentials.urls, address) ? (credentials.urls[address] ?? address) : address
}

/** The address of a proxy; a bare `host:port` means http, as every tool reads it. */
export function proxyAddress(text: string, urls: SecretUrls): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  return urls.address(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`)
}

/** An http or https URL that names a host. An unexpanded `${VARIABLE}` makes it none. */
function parseUrl(text: string): URL | undefined {
  if (text.includes('${') || !/^https?:\/\//i.test(text.trim())) return undefined
  try {
    return new URL(text.trim())
  } catch {
    return undefined
  }
}
