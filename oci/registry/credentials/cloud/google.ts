import { createSign } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  askMetadata,
  askService,
  type Fields,
  fieldsOf,
  form,
  type Identity,
  type IdentityContext,
  identityError,
  secretFile,
  textField,
} from './identity.ts'

/**
 * Artifact Registry and Container Registry take an access token as the password of `oauth2accesstoken`. It comes from
 * application default credentials (a file), else from the machine's metadata server (GKE, Cloud Build, Cloud Run).
 */
export const googleIdentity: Identity = async (_, context) => {
  const token = (await fromFile(context)) ?? (await fromMachine(context))
  return (
    token && { kind: 'basic', username: 'oauth2accesstoken', password: token.value, expires: token.expires }
  )
}

interface AccessToken {
  readonly value: string
  readonly expires: number
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'

async function fromMachine({ env, http, now }: IdentityContext): Promise<AccessToken | undefined> {
  if (env.NO_GCE_CHECK?.toLowerCase() === 'true') return undefined
  const host = env.GCE_METADATA_HOST || '169.254.169.254'
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`
  const answer = await askMetadata(http, { method: 'GET', url, headers: { 'metadata-flavor': 'Google' } })
  // Others have a service at the same address; only Google's says so.
  if (answer?.headers.get('metadata-flavor') !== 'Google') return undefined
  return tokenIn(answer.text, url, now())
}

async function fromFile(context: IdentityContext): Promise<AccessToken | undefined> {
  const { env } = context
  const named = env.GOOGLE_APPLICATION_CREDENTIALS
  const config = env.CLOUDSDK_CONFIG || (env.HOME ? join(env.HOME, '.config', 'gcloud') : undefined)
  const usual = config === undefined ? undefined : join(config, 'application_default_credentials.json')
  const file = named || (usual !== undefined && existsSync(usual) ? usual : undefined)
  if (file === undefined) return undefined
  const fields = fieldsOf(await secretFile(file, 'GOOGLE_APPLICATION_CREDENTIALS'), file)
  const kind = KINDS.get(String(fields.type))
  if (kind === undefined) {
    throw identityError(`${file} is of a type that is not supported: ${JSON.stringify(fields.type)}`)
  }
  return await kind(fields, file, context)
}

type Kind = (fields: Fields, file: string, context: IdentityContext) => Promise<AccessToken>

const serviceAccount: Kind = async (fields, file, { http, now }) => {
  const url = secure(fields.token_uri ?? TOKEN_URL, file)
  const seconds = Math.floor(now() / 1000)
  const claims = {
    iss: textField(fields, 'client_email', file),
    scope: SCOPE,
    aud: url,
    iat: seconds,
    exp: seconds + 3600,
  }
  const signing = [{ alg: 'RS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = createSign('RSA-SHA256')
    .update(signing)
    .sign(textField(fields, 'private_key', file), 'base64url')
  const grant = {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${signing}.${signature}`,
  }
  return tokenIn(await askService(http, form(url, grant)), url, now())
}

const authorizedUser: Kind = async (fields, file, { http, now }) => {
  const grant = {
    grant_type: 'refresh_token',
    client_id: textField(fields, 'client_id', file),
    client_secret: textField(fields, 'client_secret', file),
    refresh_token: textField(fields, 'refresh_token', file),
  }
  return tokenIn(await askService(http, form(TOKEN_URL, grant)), TOKEN_URL, now())
}

/** Workload identity federation: a token of somebody else is exchanged (RFC 8693), then perhaps for a service account's. */
const externalAccount: Kind = async (fields, file, { http, now }) => {
  const url = secure(fields.token_url, file)
  const grant = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: textField(fields, 'audience', file),
    scope: SCOPE,
    subject_token_type: textField(fields, 'subject_token_type', file),
    subject_token: await subjectToken(fields, file, http),
  }
  const federated = tokenIn(await askService(http, form(url, grant)), url, now())
  if (fields.service_account_impersonation_url === undefined) return federated
  const impersonate = secure(fields.service_account_impersonation_url, file)
  const answer = fieldsOf(
    await askService(http, {
      method: 'POST',
      url: impersonate,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${federated.value}` },
      body: Buffer.from(JSON.stringify({ scope: [SCOPE] })),
    }),
    impersonate,
  )
  return {
    value: textField(answer, 'accessToken', impersonate),
    expires: Date.parse(textField(answer, 'expireTime', impersonate)),
  }
}

/** From a file (Kubernetes) or a URL (CI services). Programs and AWS keys as sources are not supported. */
async function subjectToken(fields: Fields, file: string, http: IdentityContext['http']): Promise<string> {
  const source = fieldsOf(JSON.stringify(fields.credential_source ?? null), file)
  const format = fieldsOf(JSON.stringify(source.format ?? {}), file)
  const read = async (): Promise<string> => {
    if (typeof source.file === 'string') return await secretFile(source.file, file)
    if (typeof source.url !== 'string')
      throw identityError(`the credential_source of ${file} is not supported`)
    const headers = (source.headers ?? {}) as Readonly<Record<string, string>>
    return (await askService(http, { method: 'GET', url: source.url, headers })).trim()
  }
  const text = await read()
  if (format.type !== 'json') return text
  return textField(fieldsOf(text, file), textField(format, 'subject_token_field_name', file), file)
}

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['service_account', serviceAccount],
  ['authorized_user', authorizedUser],
  ['external_account', externalAccount],
])

/** Secrets go to nothing but https. */
function secure(url: unknown, file: string): string {
  if (typeof url === 'string' && URL.canParse(url) && new URL(url).protocol === 'https:') return url
  throw identityError(`${file} names a service that is not https`)
}

function tokenIn(text: string, from: string, now: number): AccessToken {
  const fields = fieldsOf(text, from)
  const seconds = typeof fields.expires_in === 'number' ? fields.expires_in : 3600
  return { value: textField(fields, 'access_token', from), expires: now + seconds * 1000 }
}
