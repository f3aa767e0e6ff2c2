import { readFile } from 'node:fs/promises'
import { SlipwayError } from '../../../../core/error.ts'
import { redact } from '../../../../core/http/redact.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../../../core/http/types.ts'
import type { Credential } from '../types.ts'

/** What the clouds have in common: an environment that says who one is, and services that turn it into a token. */

export interface IdentityOptions {
  readonly http: HttpClient
  readonly env: Readonly<Record<string, string | undefined>>
  readonly now?: () => number
}

export type IdentityContext = Required<IdentityOptions>

/**
 * The credential for a registry whose host a cloud's pattern matched; undefined where this machine has no identity there.
 * @throws SlipwayError `OCI_CLOUD_IDENTITY_FAILED`, and what the connection fails with
 */
export type Identity = (
  registry: RegExpExecArray,
  context: IdentityContext,
) => Promise<Credential | undefined>

const BODY_LIMIT = 256 * 1024
/** A metadata service is a hop away; where there is none, nothing answers at all. */
const METADATA_TIMEOUT = 1000

/** The body of an answer 200. @throws SlipwayError `OCI_CLOUD_IDENTITY_FAILED` with what the service said */
export async function askService(http: HttpClient, request: HttpRequest): Promise<string> {
  const response = await http.send({ ...request, timeouts: { headers: 30_000, body: 30_000 } })
  const text = await response.text(BODY_LIMIT)
  if (response.status === 200) return text
  throw identityError(
    `${redact(request.url)} answered ${response.status}: ${redact(text.replace(/\s+/g, ' ')).slice(0, 300)}`,
  )
}

/** As {@link askService}, with a form. */
export function form(url: string, fields: Readonly<Record<string, string>>): HttpRequest {
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: Buffer.from(new URLSearchParams(fields).toString()),
  }
}

/**
 * Asks a service of the machine itself: by no proxy, for a moment, once. Undefined where nobody answers, or not with 200,
 * so that a machine outside the cloud is not told of it.
 */
export async function askMetadata(
  http: HttpClient,
  request: Pick<HttpRequest, 'method' | 'url' | 'headers'>,
): Promise<{ readonly text: string; readonly headers: HttpResponse['headers'] } | undefined> {
  const once = http.once ?? http
  try {
    const response = await once.send({
      ...request,
      direct: true,
      signal: AbortSignal.timeout(METADATA_TIMEOUT),
    })
    const text = await response.text(BODY_LIMIT)
    return response.status === 200 ? { text, headers: response.headers } : undefined
  } catch {
    return undefined
  }
}

export type Fields = Readonly<Record<string, unknown>>

/** A JSON object out of `text`; `from` is named where it is none. */
export function fieldsOf(text: string, from: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may hold secrets.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw identityError(`no JSON object came from ${redact(from)}`)
}

/** A field that must be a text. */
export function textField(fields: Fields, name: string, from: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value !== '') return value
  throw identityError(`${redact(from)} has no ${name}`)
}

/** The text of a file that the environment names, without the line's end. */
export async function secretFile(path: string, from: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw identityError(`the file of ${from} cannot be read: ${path}`, error)
  }
}

export function identityError(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('OCI_CLOUD_IDENTITY_FAILED', message, {
    class: 'infrastructure',
    hint: "check the identity's settings, or log in another way (docker login, CNB_REGISTRY_AUTH)",
    ...(cause === undefined ? {} : { cause }),
  })
}
