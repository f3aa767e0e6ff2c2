/** What the rooms see of HTTP: requests and answers as data, streams as bytes. The client behind it is in client.ts. */

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Bytes, or a function that gives the same bytes at every call, so that a request can be sent again. */
export type RequestBody = Uint8Array | (() => AsyncIterable<Uint8Array>)

/** Milliseconds; 0 means none. */
export interface Timeouts {
  /** Until the connection (TLS included) stands. Default 30 s. */
  readonly connect?: number
  /** From the end of the request until the answer's head is there. Default 120 s; a registry's commit may need more. */
  readonly headers?: number
  /** Between two pieces of the answer's body. Default 120 s. */
  readonly body?: number
}

export interface HttpRequest {
  readonly method: Method
  /** Absolute http or https URL. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  /** Bytes of a streamed body; it is sent chunked where absent. */
  readonly contentLength?: number
  readonly signal?: AbortSignal
  /** Override the client's for this request. */
  readonly timeouts?: Omit<Timeouts, 'connect'>
  /** Do not verify the server's certificate: only for registries that were declared insecure. */
  readonly insecureTls?: boolean
  /** By no proxy, whatever the settings: services of the machine itself are reached from it alone. */
  readonly direct?: boolean
}

export interface HttpHeaders {
  /** The value, several joined by `, `. Names ignore case. */
  get(name: string): string | undefined
  /** Every line of that name (`www-authenticate`, `warning`, `link` may come more than once). */
  all(name: string): readonly string[]
}

/** An answer. Its body is consumed exactly once, by one of the methods or by iterating; otherwise call `discard`. */
export interface HttpResponse {
  readonly status: number
  readonly headers: HttpHeaders
  /** Where the answer came from, after redirects that were followed. */
  readonly url: string
  readonly body: AsyncIterable<Uint8Array>
  /** The whole body. @throws SlipwayError `HTTP_BODY_TOO_LARGE` beyond `limit` bytes. */
  bytes(limit: number): Promise<Uint8Array>
  /** The whole body as UTF-8. @throws SlipwayError `HTTP_BODY_TOO_LARGE` beyond `limit` bytes. */
  text(limit: number): Promise<string>
  /** @throws SlipwayError `HTTP_BODY_TOO_LARGE`, `HTTP_BODY_INVALID` when it is not JSON. */
  json(limit: number): Promise<unknown>
  /** Gives the connection back without reading more than a little. Never throws. */
  discard(): Promise<void>
}

/**
 * Sends single requests: no redirect is followed (redirects.ts), nothing is sent twice (retry.ts), any status is an answer.
 * Failures are SlipwayErrors of class infrastructure whose subject is the redacted URL:
 * `HTTP_CONNECT_FAILED`, `HTTP_TLS_FAILED`, `HTTP_TIMEOUT`, `HTTP_CONNECTION_LOST`, `HTTP_PROXY_FAILED`, `HTTP_ABORTED`,
 * `HTTP_URL_INVALID`.
 */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResponse>
  /** Ends idle connections; a client that is not closed keeps a process alive for some seconds at most. */
  close(): Promise<void>
  /** Set on a client made by `withRetry`: the one that sends once. */
  readonly once?: HttpClient
}

/** Proxies as the environment names them; empty strings count as absent. */
export interface ProxySettings {
  /** For http URLs. */
  readonly http?: string
  /** For https URLs. */
  readonly https?: string
  /** `NO_PROXY` as Go reads it: hosts, suffixes, ports, addresses, CIDR blocks, `*`. */
  readonly noProxy?: string
}

/** TLS of one host (`certs.d`): PEM texts. */
export interface HostTls {
  readonly certificates?: readonly string[]
  readonly clientCertificate?: { readonly certificate: string; readonly key: string }
}

export interface HttpOptions {
  /** `slipway/<version>`. */
  readonly userAgent?: string
  readonly proxy?: ProxySettings
  /** PEM texts (each may hold several certificates) that are trusted besides Node's defaults. */
  readonly certificates?: readonly string[]
  /** What a host has of its own, asked with its first connection: `registry.example`, with port where it is not 443. */
  readonly hostTls?: (host: string) => HostTls | undefined
  readonly timeouts?: Timeouts
  /** Connections kept to one origin at a time. Default 8. */
  readonly connectionsPerOrigin?: number
}
