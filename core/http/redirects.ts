import { httpError } from './errors.ts'
import { isPrivateAddress } from './no-proxy.ts'
import { redact } from './redact.ts'
import type { HttpClient, HttpRequest, HttpResponse } from './types.ts'

export interface Hop {
  /** What was asked for first. */
  readonly asked: URL
  readonly from: URL
  readonly to: URL
  readonly headers: Readonly<Record<string, string>>
}

/** The headers to send to `to`. @throws SlipwayError `HTTP_REDIRECT_REFUSED` when the hop must not be made. */
export type RedirectPolicy = (hop: Hop) => Readonly<Record<string, string>>

const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization'])
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/**
 * What may be followed without looking: credentials stay on the origin they were meant for; https does not fall back to
 * http; a literal private address is only gone to when it was asked for, so that a server cannot use us to reach what
 * only we can reach.
 */
export const safeRedirects: RedirectPolicy = ({ asked, from, to, headers }) => {
  const refuse = (why: string) =>
    httpError(
      'HTTP_REDIRECT_REFUSED',
      `${redact(from.href)} redirects to ${redact(to.href)}, ${why}`,
      redact(asked.href),
    )
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refuse('which is not http')
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refuse('which is not encrypted')
  if (to.hostname !== asked.hostname && isPrivateAddress(to.hostname)) {
    throw refuse('a private address that was not asked for')
  }
  if (to.origin === asked.origin && from.origin === asked.origin) return headers
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name.toLowerCase())))
}

/**
 * Sends a GET or HEAD and follows redirects by a policy. An answer without Location is returned as it is.
 * @throws SlipwayError `HTTP_REDIRECT_LOOP` after `limit` hops (10), `HTTP_REDIRECT_REFUSED`, and what the client throws.
 */
export async function sendFollowing(
  client: HttpClient,
  request: HttpRequest & { readonly method: 'GET' | 'HEAD' },
  policy: RedirectPolicy = safeRedirects,
  limit = 10,
): Promise<HttpResponse> {
  const asked = new URL(request.url)
  let at = request
  for (let hops = 0; ; hops++) {
    const response = await client.send(at)
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : undefined
    if (location === undefined) return response
    await response.discard()
    if (hops >= limit) {
      throw httpError(
        'HTTP_REDIRECT_LOOP',
        `more than ${limit} redirects: ${redact(request.url)}`,
        redact(request.url),
      )
    }
    const from = new URL(at.url)
    if (!URL.canParse(location, from.href)) {
      throw httpError('HTTP_REDIRECT_REFUSED', `${redact(at.url)} redirects to no URL`, redact(request.url))
    }
    const to = new URL(location, from)
    to.username = ''
    to.password = ''
    const headers = policy({ asked, from, to, headers: at.headers ?? {} })
    // Only the host that was asked for may have been declared insecure.
    at = { ...at, url: to.href, headers, insecureTls: at.insecureTls === true && to.host === asked.host }
  }
}
