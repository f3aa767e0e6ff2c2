export { certsD, certsDDirectories } from './certs-d.ts'
export { createHttpClient } from './client.ts'
export {
  CERTIFICATE_BUNDLES,
  httpOptionsFromEnvironment,
  readCertificates,
  systemCertificates,
} from './environment.ts'
export { httpError, transportError } from './errors.ts'
export { isLoopback, isPrivateAddress, isRfc1918, proxySelector } from './no-proxy.ts'
export { redact } from './redact.ts'
export { type Hop, type RedirectPolicy, safeRedirects, sendFollowing } from './redirects.ts'
export {
  createRetrier,
  isTemporaryError,
  isTemporaryStatus,
  type Retrier,
  type RetryOptions,
  retryAfter,
  Temporary,
  withRetry,
} from './retry.ts'
export { ensureStatus } from './status.ts'
export type {
  HostTls,
  HttpClient,
  HttpHeaders,
  HttpOptions,
  HttpRequest,
  HttpResponse,
  Method,
  ProxySettings,
  RequestBody,
  Timeouts,
} from './types.ts'
