import { setTimeout as sleep } from 'node:timers/promises'
import { isLoopback, isRfc1918 } from '../../core/http/no-proxy.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../core/http/types.ts'

/** Where a registry is spoken to: https, or http where that is allowed (cnb-spec C-11, https first; AU-5). */

export interface Endpoint {
  readonly origin: URL
  /** Certificates are not verified: only for registries declared insecure. */
  readonly insecureTls: boolean
}

/** Whether plain http may be used without being told so: loopback, and RFC 1918 addresses (cnb-spec C-11). */
export function mayBePlain(registry: string): boolean {
  const host = hostOf(registry)
  return isLoopback(host) || isRfc1918(host)
}

/**
 * Whether a registry, or a repository of it, was declared insecure. An entry is a host with port, or a prefix of a name
 * that ends at a `/` (the reference matches any prefix, which would also trust `registry.example.evil`).
 */
export function isInsecure(registry: string, repository: string, insecure: readonly string[]): boolean {
  const name = `${registry.toLowerCase()}/${repository}`
  return insecure.some((entry) => {
    const prefix = entry
      .replace(/^https?:\/\//, '')
      .replace(/\/+$/, '')
      .toLowerCase()
    return prefix !== '' && (name === prefix || name.startsWith(`${prefix}/`))
  })
}

function hostOf(registry: string): string {
  return registry.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

/** The endpoints to try, the preferred one first. */
export function endpoints(registry: string, insecureTls: boolean): Endpoint[] {
  const https = { origin: new URL(`https://${registry}`), insecureTls }
  if (!insecureTls && !mayBePlain(registry)) return [https]
  return [https, { origin: new URL(`http://${registry}`), insecureTls }]
}

/** Milliseconds that https has before http is tried beside it (as go-containerregistry). */
const HEAD_START = 300

export interface Answered {
  readonly endpoint: Endpoint
  readonly response: HttpResponse
}

/**
 * Finds the endpoint that answers, by a request without side effects. http is asked when https failed or is silent for
 * 300 ms; its 400 is what a TLS server says to plain http, and does not count.
 * @throws what https failed with when http gave no answer that counts either, else what http failed with
 */
export async function findEndpoint(
  client: HttpClient,
  candidates: readonly Endpoint[],
  request: (endpoint: Endpoint) => HttpRequest,
): Promise<Answered> {
  const [first, second] = candidates
  if (first === undefined) throw new RangeError('no endpoint to try')
  if (second === undefined) return { endpoint: first, response: await client.send(request(first)) }

  const secure = new AbortController()
  const plain = new AbortController()
  const attempt = (endpoint: Endpoint, abort: AbortController) => {
    const asked = request(endpoint)
    const signal = asked.signal === undefined ? abort.signal : AbortSignal.any([asked.signal, abort.signal])
    return client.send({ ...asked, signal }).then((response): Answered => ({ endpoint, response }))
  }
  const https = attempt(first, secure)
  const httpsFailed = https.then(
    () => false,
    () => true,
  )
  const http = Promise.race([httpsFailed, sleep(HEAD_START, true, { ref: false })]).then(async (go) => {
    if (!go) throw new Error('https answered')
    const answered = await attempt(second, plain)
    if (answered.response.status !== 400) return answered
    await answered.response.discard()
    return await https
  })
  try {
    const winner = await Promise.any([https, http])
    // The loser's connection is given up; its failure is of no interest.
    const loser = winner.endpoint === first ? plain : secure
    loser.abort()
    return winner
  } catch (thrown) {
    const [, httpError] = (thrown as AggregateError).errors
    throw httpError
  }
}
