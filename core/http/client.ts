import type { Dispatcher } from 'undici'
import { SlipwayError } from '../error.ts'
import type { Dispatchers } from './dispatchers.ts'
import { httpError, transportError } from './errors.ts'
import { redact } from './redact.ts'
import { createResponse } from './response.ts'
import type { HttpClient, HttpOptions, HttpRequest, HttpResponse, RequestBody } from './types.ts'

/**
 * A client over undici, which is loaded with the first request (it costs 60 ms and 29 MB that a phase without network
 * must not pay). One per process: its pools are what connections are shared in.
 */
export function createHttpClient(options: HttpOptions = {}): HttpClient {
  let dispatchers: Promise<Dispatchers> | undefined
  return {
    send: async (request) => {
      const url = parseUrl(request.url)
      request.signal?.throwIfAborted()
      dispatchers ??= import('./dispatchers.ts').then(({ createDispatchers }) => createDispatchers(options))
      return await dispatch(await dispatchers, options, request, url)
    },
    close: async () => {
      await (await dispatchers)?.close()
    },
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw httpError('HTTP_URL_INVALID', `not an http or https URL: ${redact(text)}`, redact(text))
  }
  return url
}

async function dispatch(
  dispatchers: Dispatchers,
  options: HttpOptions,
  request: HttpRequest,
  url: URL,
): Promise<HttpResponse> {
  const source = request.body === undefined ? undefined : trackedBody(request.body)
  try {
    const dispatcher = dispatchers.for(url, request)
    const answer = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: request.method,
      headers: headersOf(options, request, url),
      body: source?.body ?? null,
      headersTimeout: request.timeouts?.headers ?? options.timeouts?.headers ?? 120_000,
      bodyTimeout: request.timeouts?.body ?? options.timeouts?.body ?? 120_000,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
    return createResponse(answer, request.url)
  } catch (error) {
    // What the body itself failed with is the caller's own error, not the network's.
    if (source?.failure() !== undefined) throw source.failure()
    if (request.signal?.aborted === true) throw aborted(request.signal, request.url)
    throw transportError(error, request.url)
  }
}

function headersOf(options: HttpOptions, request: HttpRequest, url: URL): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value
  headers['user-agent'] ??= options.userAgent ?? 'slipway'
  if (request.contentLength !== undefined) headers['content-length'] = String(request.contentLength)
  if (url.username !== '' && headers.authorization === undefined) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  }
  return headers
}

interface TrackedBody {
  readonly body: NonNullable<Dispatcher.DispatchOptions['body']>
  failure(): unknown
}

function trackedBody(body: RequestBody): TrackedBody {
  if (body instanceof Uint8Array) return { body, failure: () => undefined }
  let failure: unknown
  async function* stream(open: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* open()
    } catch (error) {
      failure = error ?? new SlipwayError('HTTP_FAILED', 'the body of a request failed')
      throw error
    }
  }
  // undici takes any async iterable; its declared type is narrower.
  return { body: stream(body) as unknown as TrackedBody['body'], failure: () => failure }
}

function aborted(signal: AbortSignal, url: string): SlipwayError {
  if (signal.reason instanceof SlipwayError) return signal.reason
  return httpError('HTTP_ABORTED', `the request was cancelled: ${redact(url)}`, redact(url), signal.reason)
}
