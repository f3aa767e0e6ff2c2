import { createHash, createHmac } from 'node:crypto'
import type { HttpRequest } from '../../../../core/http/types.ts'

/** Keys of an AWS identity; the token belongs to temporary ones. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** A request that AWS may be sent: its URL has no query, and its whole body is at hand. */
export type Signable = HttpRequest & { readonly body: Uint8Array }

/**
 * The headers of a request with its Signature Version 4 (AWS General Reference, signing requests): every header that is
 * given, the host and the date are signed.
 * @param time milliseconds since 1970
 */
export function signed(
  request: Signable,
  keys: AwsKeys,
  { service, region, time }: { readonly service: string; readonly region: string; readonly time: number },
): Record<string, string> {
  const url = new URL(request.url)
  const date = `${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-date': date,
    ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
  }
  const canonical = Object.entries({ ...headers, host: url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const names = canonical.map(([name]) => name).join(';')
  const lines = canonical.map(([name, value]) => `${name}:${value}\n`).join('')
  const asked = [request.method, url.pathname, '', lines, names, sha256(request.body)].join('\n')
  const scope = [date.slice(0, 8), region, service, 'aws4_request']
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(asked)].join('\n')
  const key = scope.reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${keys.secretAccessKey}`,
  )
  const signature = hmac(key, text).toString('hex')
  const credential = `${keys.accessKeyId}/${scope.join('/')}`
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
