import { httpError } from '../../core/http/errors.ts'
import { isPrivateAddress } from '../../core/http/no-proxy.ts'
import { redact } from '../../core/http/redact.ts'
import type { HttpResponse } from '../../core/http/types.ts'

/**
 * Where an upload goes on (libraries.md §3.3). The answer is hostile input: it may be relative, absolute, on another host,
 * and carries a query (`_state`) that must survive.
 * @param base what the answer's URL is relative to: the request that was really answered
 * @param registry origin of the registry that is spoken to
 * @throws SlipwayError `OCI_LOCATION_INVALID`
 */
export function uploadLocation(response: HttpResponse, registry: URL): URL {
  const text = response.headers.get('location')
  const invalid = (why: string) =>
    httpError(
      'OCI_LOCATION_INVALID',
      `the registry ${registry.host} answered an upload ${why}`,
      registry.host,
    )
  if (text === undefined || text === '') throw invalid('without a Location to continue at')
  if (!URL.canParse(text, response.url)) throw invalid('with a Location that is no URL')
  const location = new URL(text, response.url)
  const shown = redact(location.href)
  location.hash = ''
  location.username = ''
  location.password = ''
  if (location.protocol !== 'https:' && location.protocol !== 'http:')
    throw invalid(`with the Location ${shown}`)
  if (registry.protocol === 'https:' && location.protocol === 'http:') {
    // A registry behind a proxy that ends TLS often does not know that it is reached by https.
    if (location.hostname !== registry.hostname)
      throw invalid(`with a Location that is not encrypted: ${shown}`)
    location.protocol = 'https:'
    location.port = registry.port
  }
  if (location.hostname !== registry.hostname && isPrivateAddress(location.hostname)) {
    throw invalid(`with a Location at a private address: ${shown}`)
  }
  return location
}

/** The Location of an answer that may have none: then the upload goes on where it was. */
export function nextLocation(response: HttpResponse, registry: URL, current: URL): URL {
  return response.headers.get('location') === undefined ? current : uploadLocation(response, registry)
}

/** A Location with a parameter added and everything else kept as it came. */
export function withParameter(location: URL, name: string, value: string): URL {
  const url = new URL(location)
  // Setting through searchParams would write the whole query anew and could change what the registry signed.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}${name}=${encodeURIComponent(value)}`
  return url
}
