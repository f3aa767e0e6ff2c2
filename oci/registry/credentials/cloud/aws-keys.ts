import { isLoopback } from '../../../../core/http/no-proxy.ts'
import {
  askMetadata,
  askService,
  fieldsOf,
  form,
  type IdentityContext,
  identityError,
  secretFile,
  textField,
} from './identity.ts'
import type { AwsKeys } from './signature.ts'

/**
 * The keys of an AWS identity, from the first place that has some, in the order of the AWS SDKs: the environment, a web
 * identity (IRSA), the container's service (EKS Pod Identity, ECS), the machine's metadata service (IMDSv2).
 */
export async function awsKeys(context: IdentityContext, region: string): Promise<AwsKeys | undefined> {
  return (
    fromEnvironment(context) ??
    (await fromWebIdentity(context, region)) ??
    (await fromContainer(context)) ??
    (await fromMachine(context))
  )
}

/** `amazonaws.com`, or that of a partition of its own. */
export function dnsSuffix(region: string): string {
  if (region.startsWith('cn-')) return 'amazonaws.com.cn'
  return region.startsWith('eusc-') ? 'amazonaws.eu' : 'amazonaws.com'
}

function fromEnvironment({ env }: IdentityContext): AwsKeys | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId || !secretAccessKey) return undefined
  return {
    accessKeyId,
    secretAccessKey,
    ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
  }
}

async function fromWebIdentity(
  { env, http, now }: IdentityContext,
  registryRegion: string,
): Promise<AwsKeys | undefined> {
  const { AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file } = env
  if (!role || !file) return undefined
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || registryRegion
  const url =
    env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL || `https://sts.${region}.${dnsSuffix(region)}/`
  const answer = await askService(
    http,
    form(url, {
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: role,
      RoleSessionName: env.AWS_ROLE_SESSION_NAME || `slipway-${now()}`,
      WebIdentityToken: await secretFile(file, 'AWS_WEB_IDENTITY_TOKEN_FILE'),
    }),
  )
  // XML with three flat elements of base64: not worth a parser.
  const element = (name: string) => {
    const text = new RegExp(`<${name}>\\s*([^<\\s]+)\\s*</${name}>`).exec(answer)?.[1]
    if (text === undefined) throw identityError(`the answer of ${url} has no ${name}`)
    return text
  }
  return {
    accessKeyId: element('AccessKeyId'),
    secretAccessKey: element('SecretAccessKey'),
    sessionToken: element('SessionToken'),
  }
}

/** Where ECS and the EKS Pod Identity agent listen. */
const CONTAINER_HOSTS = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]'])

async function fromContainer({ env, http }: IdentityContext): Promise<AwsKeys | undefined> {
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  const url = relative ? `http://169.254.170.2${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI
  if (!url) return undefined
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' }
  if (
    protocol !== 'https:' &&
    !(protocol === 'http:' && (isLoopback(hostname) || CONTAINER_HOSTS.has(hostname)))
  ) {
    throw identityError(
      'AWS_CONTAINER_CREDENTIALS_FULL_URI names neither https nor a service of this machine',
    )
  }
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
  const token = file
    ? await secretFile(file, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE')
    : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
  const answer = await askService(http, {
    method: 'GET',
    url,
    direct: true,
    ...(token ? { headers: { authorization: token } } : {}),
  })
  return keysIn(answer, url)
}

async function fromMachine({ env, http }: IdentityContext): Promise<AwsKeys | undefined> {
  if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') return undefined
  const base = (env.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254').replace(/\/+$/, '')
  const session = await askMetadata(http, {
    method: 'PUT',
    url: `${base}/latest/api/token`,
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' },
  })
  if (session === undefined) return undefined
  const headers = { 'x-aws-ec2-metadata-token': session.text.trim() }
  const roles = `${base}/latest/meta-data/iam/security-credentials/`
  const role = (await askMetadata(http, { method: 'GET', url: roles, headers }))?.text.split('\n')[0]?.trim()
  if (!role) return undefined
  const url = roles + encodeURIComponent(role)
  const answer = await askMetadata(http, { method: 'GET', url, headers })
  return answer === undefined ? undefined : keysIn(answer.text, url)
}

function keysIn(text: string, from: string): AwsKeys {
  const fields = fieldsOf(text, from)
  return {
    accessKeyId: textField(fields, 'AccessKeyId', from),
    secretAccessKey: textField(fields, 'SecretAccessKey', from),
    sessionToken: textField(fields, 'Token', from),
  }
}
