import { type ErrorCode, errorChain, SlipwayError } from '../error.ts'
import { redact } from './redact.ts'

/** Failures of a connection, by undici's and Node's codes. */
const LOST = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_INFO',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'HPE_INVALID_EOF_STATE',
])
const TIMED_OUT = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
])
const TLS =
  /^(?:ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO|UND_ERR_PRX_TLS|CRL_|INVALID_CA|PATH_LENGTH|ERROR_IN_CERT)/
const TRUST = /^(?:SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/

/** The error that a person may see for whatever the transport threw. SlipwayErrors pass as they are. */
export function transportError(thrown: unknown, url: string): SlipwayError {
  if (thrown instanceof SlipwayError) return thrown
  const { code, message, hint } = explain(thrown)
  const subject = redact(url)
  return httpError(code, `${message}: ${subject}${detail(thrown)}`, subject, thrown, hint)
}

export function httpError(
  code: ErrorCode,
  message: string,
  subject: string,
  cause?: unknown,
  hint?: string,
): SlipwayError {
  return new SlipwayError(code, message, {
    subject,
    class: 'infrastructure',
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  })
}

function explain(thrown: unknown): { code: ErrorCode; message: string; hint?: string } {
  const codes = codesOf(thrown)
  const some = (set: ReadonlySet<string>) => codes.some((code) => set.has(code))
  if (codes.some((code) => TLS.test(code))) {
    return {
      code: 'HTTP_TLS_FAILED',
      message: 'TLS failed',
      ...(codes.some((code) => TRUST.test(code))
        ? {
            hint: 'if the server uses a private certificate authority, name its certificate in SSL_CERT_FILE',
          }
        : {}),
    }
  }
  if (codes.includes('UND_ERR_PRX_CONN') || /^Proxy /.test(messageOf(thrown))) {
    return {
      code: 'HTTP_PROXY_FAILED',
      message: 'the proxy refused',
      hint: 'check HTTP_PROXY, HTTPS_PROXY and NO_PROXY',
    }
  }
  if (some(TIMED_OUT)) return { code: 'HTTP_TIMEOUT', message: 'no answer in time' }
  if (some(UNREACHABLE)) {
    return {
      code: 'HTTP_CONNECT_FAILED',
      message: 'cannot connect',
      hint: 'check the name, the network, and HTTP_PROXY, HTTPS_PROXY and NO_PROXY if a proxy is needed',
    }
  }
  if (some(LOST)) return { code: 'HTTP_CONNECTION_LOST', message: 'the connection was lost' }
  if (nameOf(thrown) === 'HTTPParserError' || codes.some((code) => code.startsWith('HPE_'))) {
    return { code: 'HTTP_ANSWER_INVALID', message: 'the answer is not HTTP' }
  }
  return { code: 'HTTP_FAILED', message: 'the request failed' }
}

/** The codes of an error, of its causes and of the errors it gathers (one per address that was tried). */
function codesOf(thrown: unknown): string[] {
  const codes: string[] = []
  const visit = (at: unknown, depth: number): void => {
    if (!(at instanceof Error) || depth > 5) return
    const code = (at as { code?: unknown }).code
    if (typeof code === 'string') codes.push(code)
    if (at instanceof AggregateError) for (const inner of at.errors) visit(inner, depth + 1)
    visit(at.cause, depth + 1)
  }
  visit(thrown, 0)
  return codes
}

function detail(thrown: unknown): string {
  const text = thrown instanceof AggregateError ? errorChain(thrown.errors[0]) : errorChain(thrown)
  // OpenSSL: `403DA8…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:…c:77:`
  const openssl = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(text)?.[1]
  const said = (openssl ?? text).replace(/\s+/g, ' ').trim()
  return said === '' ? '' : ` (${redact(said)})`
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : ''
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : ''
}
