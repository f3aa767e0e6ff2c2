import { SlipwayError } from '../../../core/error.ts'
import { redact } from '../../../core/http/redact.ts'
import { normalizeKey } from './docker-config.ts'
import type { Credential, CredentialSource } from './types.ts'

/**
 * `CNB_REGISTRY_AUTH`: JSON of registries and Authorization headers (platform spec, cnb-spec AU-1). Keys are reduced to
 * their host; `docker.io` means Docker Hub too, which the reference forgets. A header is read when its registry is asked
 * for: a platform passes on what it has, and an empty one for a registry that the build does not touch is no failure.
 * @param json the variable's value; absent or empty gives a source that knows nothing
 * @throws SlipwayError `OCI_CREDENTIALS_INVALID`, here and from the source; no part of the value is in it
 */
export function registryAuthCredentials(json: string | undefined): CredentialSource {
  const headers =
    json === undefined || json.trim() === '' ? new Map<string, Entry>() : parseRegistryAuth(json)
  return async (registry) => {
    const entry = headers.get(hostOf(registry))
    return entry === undefined ? undefined : parseHeader(entry)
  }
}

interface Entry {
  /** As written. */
  readonly key: string
  readonly header: string
}

/** Pure: host → header. */
function parseRegistryAuth(json: string): Map<string, Entry> {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch {
    throw invalid('it is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('it is not a JSON object')
  const headers = new Map<string, Entry>()
  for (const [key, header] of Object.entries(parsed)) {
    if (typeof header !== 'string')
      throw invalid(`the value of ${JSON.stringify(redact(key))} is not a string`)
    headers.set(hostOf(key), { key, header })
  }
  return headers
}

function hostOf(key: string): string {
  return normalizeKey(key).split('/', 1)[0] ?? ''
}

function parseHeader({ key, header }: Entry): Credential {
  const [, scheme = '', value = ''] = /^\s*(\S+)\s+(\S+)\s*$/.exec(header) ?? []
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { kind: 'bearer', token: value }
    case 'x-identity':
      return { kind: 'identity-token', token: value }
    case 'basic': {
      const pair = Buffer.from(value, 'base64').toString('utf8')
      const colon = pair.indexOf(':')
      if (colon >= 0)
        return { kind: 'basic', username: pair.slice(0, colon), password: pair.slice(colon + 1) }
    }
  }
  throw invalid(
    `the value of ${JSON.stringify(redact(key))} is none of "Basic <base64>", "Bearer <token>", "X-Identity <token>"`,
  )
}

function invalid(why: string): SlipwayError {
  return new SlipwayError('OCI_CREDENTIALS_INVALID', `cannot use CNB_REGISTRY_AUTH: ${why}`, {
    subject: 'CNB_REGISTRY_AUTH',
    hint: 'it looks like {"registry.example":"Basic dXNlcjpwYXNz"}',
    class: 'usage',
  })
}
