import { type ErrorCode, SlipwayError } from '../../core/error.ts'
import { redact } from '../../core/http/redact.ts'
import { isTemporaryStatus, retryAfter, Temporary } from '../../core/http/retry.ts'
import type { HttpResponse } from '../../core/http/types.ts'

/** Turning a registry's refusal into an error that says who refused what, and whether trying again may help. */

/** One entry of `{"errors":[…]}` (distribution spec, error codes). */
export interface RegistryComplaint {
  readonly code: string
  readonly message: string
}

const BODY_LIMIT = 64 * 1024
/** DIGEST_INVALID: what is sent is checked here, so it was changed on its way. */
const TEMPORARY_CODES = new Set([
  'DIGEST_INVALID',
  'TOOMANYREQUESTS',
  'UNKNOWN',
  'UNAVAILABLE',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
])
const DENIED_CODES = new Set(['UNAUTHORIZED', 'DENIED'])

export interface Refusal {
  readonly status: number
  readonly complaints: readonly RegistryComplaint[]
  readonly error: SlipwayError
  readonly temporary: boolean
  /** Milliseconds. */
  readonly retryAfter?: number
}

/**
 * Reads an answer that was not hoped for; its body is consumed.
 * @param doing what was tried, as in `cannot <doing>`
 * @param subject the image or blob it was tried on
 */
export async function refusal(response: HttpResponse, doing: string, subject: string): Promise<Refusal> {
  const text = await response.text(BODY_LIMIT).catch(() => '')
  const complaints = parseComplaints(text)
  const { status } = response
  const wait = retryAfter(response.headers.get('retry-after'), Date.now())
  const said =
    complaints.length > 0
      ? complaints.map(({ code, message }) => (message === '' ? code : `${code}: ${message}`)).join('; ')
      : text.replace(/\s+/g, ' ').trim()
  const reason = redact(said).slice(0, 400)
  const { code, hint } = classify(status, complaints)
  const error = new SlipwayError(
    code,
    `cannot ${doing} ${subject}: the registry answered ${status}${reason === '' ? ' without a reason' : ` (${reason})`}`,
    { subject, class: 'infrastructure', ...(hint === undefined ? {} : { hint }) },
  )
  return {
    status,
    complaints,
    error,
    temporary: isTemporaryStatus(status) || complaints.some(({ code }) => TEMPORARY_CODES.has(code)),
    ...(wait === undefined ? {} : { retryAfter: wait }),
  }
}

/** The refusal as something to throw inside a retried unit. */
export function asThrown(refused: Refusal): Error {
  return refused.temporary ? new Temporary(refused.error, refused.retryAfter) : refused.error
}

function classify(
  status: number,
  complaints: readonly RegistryComplaint[],
): { code: ErrorCode; hint?: string } {
  const has = (code: string) => complaints.some((complaint) => complaint.code === code)
  if (status === 429 || has('TOOMANYREQUESTS')) {
    return { code: 'OCI_RATE_LIMITED', hint: 'wait, or log in: registries allow known users more' }
  }
  if (status === 401 || status === 403 || complaints.some(({ code }) => DENIED_CODES.has(code))) {
    return { code: 'OCI_ACCESS_DENIED', hint: DENIED_HINT }
  }
  if (status === 404 && has('NAME_UNKNOWN')) {
    return {
      code: 'OCI_REPOSITORY_MISSING',
      hint: 'some registries want the repository or project to be created first',
    }
  }
  if (status === 413) {
    return {
      code: 'OCI_REGISTRY_FAILED',
      hint: 'the registry, or a proxy in front of it, limits the size of uploads',
    }
  }
  return { code: 'OCI_REGISTRY_FAILED' }
}

export const DENIED_HINT =
  'log in to the registry (docker login, CNB_REGISTRY_AUTH) with an account that may do this; some registries also answer so for names that do not exist'

/** The complaints in a body, at most ten, or none when it is something else. */
export function parseComplaints(text: string): RegistryComplaint[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return []
  }
  const errors = (parsed as { errors?: unknown } | null)?.errors
  if (!Array.isArray(errors)) return []
  return errors.slice(0, 10).flatMap((entry: unknown) => {
    const { code, message } = (entry ?? {}) as { code?: unknown; message?: unknown }
    if (typeof code !== 'string') return []
    return [{ code: code.slice(0, 100), message: typeof message === 'string' ? message.slice(0, 300) : '' }]
  })
}
