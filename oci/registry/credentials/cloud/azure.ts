import {
  askMetadata,
  askService,
  fieldsOf,
  form,
  type Identity,
  type IdentityContext,
  secretFile,
  textField,
} from './identity.ts'

/**
 * Azure Container Registry: a token of Entra ID (workload identity, client secret, managed identity) is exchanged at the
 * registry itself for a refresh token, which buys the registry's bearer tokens.
 */
export const azureIdentity: Identity = async ({ 0: registry, groups }, context) => {
  const cloud = AZURE[groups?.cloud ?? ''] ?? PUBLIC
  const { http, now } = context
  const token = (await fromDirectory(context, cloud)) ?? (await fromMachine(context, cloud))
  if (token === undefined) return undefined
  const url = `https://${registry}/oauth2/exchange`
  const grant = { grant_type: 'access_token', service: registry, access_token: token }
  const answer = fieldsOf(await askService(http, form(url, grant)), url)
  return {
    kind: 'identity-token',
    username: '00000000-0000-0000-0000-000000000000',
    token: textField(answer, 'refresh_token', url),
    expires: now() + LIFE,
  }
}

/** The registry's refresh tokens live three hours, and it does not say so. */
const LIFE = 2 * 3600 * 1000

interface AzureCloud {
  readonly authority: string
  /** What the token is for. */
  readonly audience: string
}

const PUBLIC: AzureCloud = {
  authority: 'https://login.microsoftonline.com',
  audience: 'https://containerregistry.azure.net',
}
/** By the end of the registry's name. */
const AZURE: Readonly<Record<string, AzureCloud>> = {
  cn: {
    authority: 'https://login.partner.microsoftonline.cn',
    audience: 'https://management.chinacloudapi.cn',
  },
  us: { authority: 'https://login.microsoftonline.us', audience: 'https://management.usgovcloudapi.net' },
}

async function fromDirectory({ env, http }: IdentityContext, cloud: AzureCloud): Promise<string | undefined> {
  const { AZURE_CLIENT_ID: client, AZURE_TENANT_ID: tenant, AZURE_CLIENT_SECRET: secret } = env
  const file = env.AZURE_FEDERATED_TOKEN_FILE
  if (!client || !tenant || (!secret && !file)) return undefined
  const authority = (env.AZURE_AUTHORITY_HOST || cloud.authority).replace(/\/+$/, '')
  const url = `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`
  const proof: Readonly<Record<string, string>> = secret
    ? { client_secret: secret }
    : {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await secretFile(file ?? '', 'AZURE_FEDERATED_TOKEN_FILE'),
      }
  const grant = {
    grant_type: 'client_credentials',
    client_id: client,
    scope: `${cloud.audience}/.default`,
    ...proof,
  }
  return textField(fieldsOf(await askService(http, form(url, grant)), url), 'access_token', url)
}

/** A managed identity: of an App Service or Container App by its own service, else of the machine. */
async function fromMachine({ env, http }: IdentityContext, cloud: AzureCloud): Promise<string | undefined> {
  const { IDENTITY_ENDPOINT: service, IDENTITY_HEADER: secret, AZURE_CLIENT_ID: client } = env
  const own = service && secret
  const base = env.AZURE_POD_IDENTITY_AUTHORITY_HOST || 'http://169.254.169.254'
  const url = new URL(own ? service : `${base.replace(/\/+$/, '')}/metadata/identity/oauth2/token`)
  url.searchParams.set('api-version', own ? '2019-08-01' : '2018-02-01')
  url.searchParams.set('resource', cloud.audience)
  if (client) url.searchParams.set('client_id', client)
  const headers: Readonly<Record<string, string>> = own
    ? { 'x-identity-header': secret }
    : { metadata: 'true' }
  const answer = await askMetadata(http, { method: 'GET', url: url.href, headers })
  return answer && textField(fieldsOf(answer.text, url.href), 'access_token', url.href)
}
