import { httpError } from './errors.ts'
import { redact } from './redact.ts'
import type { HttpResponse } from './types.ts'

/**
 * The answer, if it has one of the statuses that are expected.
 * @throws SlipwayError `HTTP_STATUS` with the status and the beginning of the body, redacted. Its body is consumed.
 */
export async function ensureStatus(
  response: HttpResponse,
  ...expected: readonly number[]
): Promise<HttpResponse> {
  if (expected.includes(response.status)) return response
  const body = await response.text(64 * 1024).catch(() => '')
  const start = redact(body.replace(/\s+/g, ' ').trim()).slice(0, 300)
  const subject = redact(response.url)
  throw httpError(
    'HTTP_STATUS',
    `${subject} answered ${response.status}${start === '' ? '' : `: ${start}`}`,
    subject,
    undefined,
    response.status === 407 ? 'the proxy asks for credentials' : undefined,
  )
}
