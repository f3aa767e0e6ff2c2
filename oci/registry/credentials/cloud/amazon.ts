import { awsKeys, dnsSuffix } from './aws-keys.ts'
import { askService, fieldsOf, type Identity, identityError, textField } from './identity.ts'
import { type Signable, signed } from './signature.ts'

/** ECR and ECR Public: an AWS identity buys user `AWS` and a password for twelve hours (GetAuthorizationToken). */
export const amazonIdentity: Identity = async ({ groups }, context) => {
  const region = groups?.region
  const keys = await awsKeys(context, region ?? PUBLIC.region)
  if (keys === undefined) return undefined
  const api = region === undefined ? PUBLIC : privateApi(region, groups?.fips !== undefined)
  const { env, http, now } = context
  const request: Signable = {
    method: 'POST',
    url: new URL(env[api.override] || env.AWS_ENDPOINT_URL || api.url).href,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': api.target },
    body: Buffer.from('{}'),
  }
  const headers = signed(request, keys, { service: api.service, region: api.region, time: now() })
  const answer = fieldsOf(await askService(http, { ...request, headers }), request.url)
  // A list in the one, a single one in the other.
  const data = [answer.authorizationData].flat()[0]
  const fields = fieldsOf(JSON.stringify(data ?? null), request.url)
  const pair = Buffer.from(textField(fields, 'authorizationToken', request.url), 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 1) throw identityError(`no user and password came from ${request.url}`)
  return {
    kind: 'basic',
    username: pair.slice(0, colon),
    password: pair.slice(colon + 1),
    ...(typeof fields.expiresAt === 'number' ? { expires: fields.expiresAt * 1000 } : {}),
  }
}

interface Api {
  readonly url: string
  /** The variable by which AWS lets one name another place for the service. */
  readonly override: string
  readonly region: string
  readonly service: string
  readonly target: string
}

const PUBLIC: Api = {
  url: 'https://api.ecr-public.us-east-1.amazonaws.com/',
  override: 'AWS_ENDPOINT_URL_ECR_PUBLIC',
  region: 'us-east-1',
  service: 'ecr-public',
  target: 'SpencerFrontendService.GetAuthorizationToken',
}

function privateApi(region: string, fips: boolean): Api {
  return {
    url: `https://${fips ? 'ecr-fips' : 'api.ecr'}.${region}.${dnsSuffix(region)}/`,
    override: 'AWS_ENDPOINT_URL_ECR',
    region,
    service: 'ecr',
    target: 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
  }
}
