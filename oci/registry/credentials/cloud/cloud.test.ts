import { createVerify, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createHttpClient } from '../../../../core/http/client.ts'
import type { HttpClient } from '../../../../core/http/types.ts'
import { parseReference } from '../../../reference.ts'
import { createRegistry } from '../../registry.ts'
import { type CloudEmulator, type CloudServices, startClouds } from '../../testing/clouds.ts'
import { startTestRegistry } from '../../testing/server.ts'
import { cloudCredentials } from './cloud.ts'
import { signed } from './signature.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const ECR_API = 'POST api.ecr.eu-central-1.amazonaws.com/'
const KEYS = { AccessKeyId: 'AKIDTEMPORARY', SecretAccessKey: 'secret-of-the-role', Token: 'session+token/=' }

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-clouds-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const emulators: CloudEmulator[] = []
afterEach(async () => {
  await Promise.all(emulators.splice(0).map((emulator) => emulator[Symbol.asyncDispose]()))
})

async function setting(services: CloudServices, env: Record<string, string> = {}) {
  const emulator = await startClouds(services)
  emulators.push(emulator)
  const warnings: string[] = []
  let time = NOW
  const source = cloudCredentials({
    http: emulator.http,
    env: { HOME: directory, ...env },
    warn: (message) => warnings.push(message),
    now: () => time,
  })
  const asked = () => emulator.log.map(({ method, url }) => `${method} ${url.host}${url.pathname}`)
  return { emulator, warnings, source, asked, later: (milliseconds: number) => (time += milliseconds) }
}

async function file(name: string, content: string | object): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** ECR as far as it is needed here; `AWS:password`, for twelve hours. */
const ecr: CloudServices = {
  [ECR_API]: () => ({
    body: {
      authorizationData: [
        {
          authorizationToken: Buffer.from('AWS:pass:word').toString('base64'),
          expiresAt: NOW / 1000 + 43200,
        },
      ],
    },
  }),
}
const aws = { kind: 'basic', username: 'AWS', password: 'pass:word', expires: NOW + 43200_000 }

describe('Signature Version 4', () => {
  // AWS's own test suite (get-vanilla, post-vanilla).
  it.each([
    ['GET', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['POST', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ] as const)('signs %s as AWS does', (method, signature) => {
    const headers = signed(
      { method, url: 'https://example.amazonaws.com/', body: Buffer.alloc(0) },
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
      { service: 'service', region: 'us-east-1', time: Date.UTC(2015, 7, 30, 12, 36, 0) },
    )
    expect(headers.authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    )
  })
})

describe('Amazon', () => {
  const signedBy = ({ emulator }: { emulator: CloudEmulator }, id: string) => {
    const { headers } = emulator.log.find(({ headers }) => headers['x-amz-target'] !== undefined) ?? {}
    expect(headers?.authorization).toContain(`Credential=${id}/20260102/eu-central-1/ecr/aws4_request`)
    return headers?.['x-amz-security-token']
  }

  it('takes keys from the environment', async () => {
    const at = await setting(ecr, { AWS_ACCESS_KEY_ID: 'AKIDENV', AWS_SECRET_ACCESS_KEY: 'secret' })
    expect(await at.source(ECR, 'team/app')).toEqual(aws)
    expect(await at.source(ECR, 'team/other')).toEqual(aws)
    expect(at.asked()).toEqual([ECR_API])
    expect(at.emulator.log[0]).toMatchObject({
      body: '{}',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
      },
    })
    expect(signedBy(at, 'AKIDENV')).toBeUndefined()
  })

  it('exchanges the token of a service account (IRSA)', async () => {
    const sts = 'POST sts.eu-west-1.amazonaws.com/'
    const at = await setting(
      {
        ...ecr,
        [sts]: () => ({
          body: `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
            <AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s3cret/+</SecretAccessKey>
            <SessionToken>session+/=</SessionToken><Expiration>2026-01-02T04:04:05Z</Expiration>
            </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
        }),
      },
      {
        AWS_REGION: 'eu-west-1',
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/builder',
        AWS_WEB_IDENTITY_TOKEN_FILE: await file('irsa', 'the.web.token\n'),
      },
    )
    expect(await at.source(ECR, 'app')).toEqual(aws)
    expect(Object.fromEntries(at.emulator.log[0]?.form ?? [])).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: 'arn:aws:iam::123456789012:role/builder',
      WebIdentityToken: 'the.web.token',
    })
    expect(signedBy(at, 'AKIDROLE')).toBe('session+/=')
  })

  it("asks the container's own service, by no proxy (EKS Pod Identity)", async () => {
    const at = await setting(
      { ...ecr, 'GET 169.254.170.23/v1/credentials': () => ({ body: KEYS }) },
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: await file('pod-identity', 'pod-token'),
      },
    )
    expect(await at.source(ECR, 'app')).toEqual(aws)
    expect(at.emulator.log[0]).toMatchObject({ direct: true, headers: { authorization: 'pod-token' } })
    expect(signedBy(at, 'AKIDTEMPORARY')).toBe(KEYS.Token)
  })

  it("does not send the container's token to another address", async () => {
    const at = await setting(ecr, {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://10.0.0.1/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod-token',
    })
    expect(await at.source(ECR, 'app')).toBeUndefined()
    expect(at.asked()).toEqual([])
    expect(at.warnings[0]).toContain('AWS_CONTAINER_CREDENTIALS_FULL_URI names neither https nor')
  })

  it("takes the machine's role (IMDSv2)", async () => {
    const roles = '169.254.169.254/latest/meta-data/iam/security-credentials/'
    const at = await setting({
      ...ecr,
      'PUT 169.254.169.254/latest/api/token': () => ({ body: 'imds-session' }),
      [`GET ${roles}`]: () => ({ body: 'node-role\n' }),
      [`GET ${roles}node-role`]: () => ({ body: KEYS }),
    })
    expect(await at.source(ECR, 'app')).toEqual(aws)
    expect(at.emulator.log.map(({ direct }) => direct)).toEqual([true, true, true, false])
    expect(at.emulator.log[2]?.headers['x-aws-ec2-metadata-token']).toBe('imds-session')
    expect(signedBy(at, 'AKIDTEMPORARY')).toBe(KEYS.Token)
  })

  it('is anonymous, and silent, on a machine without an identity', async () => {
    const at = await setting({})
    expect(await at.source(ECR, 'app')).toBeUndefined()
    expect(at.asked()).toEqual(['PUT 169.254.169.254/latest/api/token'])
    const off = await setting({}, { AWS_EC2_METADATA_DISABLED: 'true' })
    expect(await off.source(ECR, 'app')).toBeUndefined()
    expect(off.asked()).toEqual([])
    expect([...at.warnings, ...off.warnings]).toEqual([])
  })

  it('knows the public registry, and the places that AWS lets one name', async () => {
    const data = { authorizationToken: Buffer.from('AWS:public').toString('base64') }
    const env = { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' }
    const at = await setting(
      { 'POST api.ecr-public.us-east-1.amazonaws.com/': () => ({ body: { authorizationData: data } }) },
      env,
    )
    expect(await at.source('public.ecr.aws', 'docker/library/node')).toMatchObject({ password: 'public' })
    const own = await setting(
      { 'POST ecr.internal.example/': () => ({ body: { authorizationData: [data] } }) },
      { ...env, AWS_ENDPOINT_URL_ECR: 'https://ecr.internal.example' },
    )
    expect(await own.source(ECR, 'app')).toMatchObject({ password: 'public' })
  })

  it.each([
    ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'api.ecr.cn-north-1.amazonaws.com.cn'],
    ['123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', 'ecr-fips.us-gov-west-1.amazonaws.com'],
    ['123456789012.dkr-ecr.eu-west-3.on.aws', 'api.ecr.eu-west-3.amazonaws.com'],
  ])('finds the service of %s', async (registry, host) => {
    const at = await setting({}, { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' })
    await at.source(registry, 'app')
    expect(at.asked()).toEqual([`POST ${host}/`])
  })

  it('tells what the service said, without secrets, and goes on without an identity', async () => {
    const at = await setting(
      { [ECR_API]: () => ({ status: 400, body: { __type: 'AccessDeniedException', token: 'do-not-show' } }) },
      { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' },
    )
    expect(await at.source(ECR, 'app')).toBeUndefined()
    expect(at.warnings).toHaveLength(1)
    expect(at.warnings[0]).toContain('AccessDeniedException')
    expect(at.warnings[0]).not.toContain('do-not-show')
  })
})

describe('Google', () => {
  const METADATA = 'GET 169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token'
  const basic = (password: string, expires: number) => ({
    kind: 'basic',
    username: 'oauth2accesstoken',
    password,
    expires,
  })

  it('takes the token of the metadata server, anew when it is over', async () => {
    let tokens = 0
    const at = await setting({
      [METADATA]: () => ({
        headers: { 'metadata-flavor': 'Google' },
        body: { access_token: `token-${++tokens}`, expires_in: 3600, token_type: 'Bearer' },
      }),
    })
    expect(await at.source('europe-docker.pkg.dev', 'project/a')).toEqual(basic('token-1', NOW + 3600_000))
    at.later(3000_000)
    expect(await at.source('europe-docker.pkg.dev', 'project/b')).toMatchObject({ password: 'token-1' })
    at.later(550_000)
    const again = await Promise.all(['a', 'b'].map((name) => at.source('europe-docker.pkg.dev', name)))
    expect(again).toEqual([1, 2].map(() => basic('token-2', NOW + 3550_000 + 3600_000)))
    expect(at.emulator.log[0]).toMatchObject({ direct: true, headers: { 'metadata-flavor': 'Google' } })
  })

  it('believes no other service at that address', async () => {
    const at = await setting({ [METADATA]: () => ({ body: { access_token: 'not-ours' } }) })
    expect(await at.source('gcr.io', 'project/app')).toBeUndefined()
    const off = await setting({}, { NO_GCE_CHECK: 'true' })
    expect(await off.source('gcr.io', 'project/app')).toBeUndefined()
    expect(off.asked()).toEqual([])
    const named = await setting({}, { GCE_METADATA_HOST: 'metadata.example:8080' })
    await named.source('eu.gcr.io', 'project/app')
    expect(named.asked()).toEqual([METADATA.replace('169.254.169.254', 'metadata.example:8080')])
  })

  it('signs for a service account', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const at = await setting(
      { 'POST oauth2.googleapis.com/token': () => ({ body: { access_token: 'ya29.x', expires_in: 10 } }) },
      {
        GOOGLE_APPLICATION_CREDENTIALS: await file('service-account.json', {
          type: 'service_account',
          client_email: 'builder@project.iam.gserviceaccount.com',
          private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
          token_uri: 'https://oauth2.googleapis.com/token',
        }),
      },
    )
    expect(await at.source('gcr.io', 'project/app')).toEqual(basic('ya29.x', NOW + 10_000))
    const [head = '', claims = '', signature = ''] = (at.emulator.log[0]?.form.get('assertion') ?? '').split(
      '.',
    )
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({
      iss: 'builder@project.iam.gserviceaccount.com',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: 'https://oauth2.googleapis.com/token',
      iat: NOW / 1000,
      exp: NOW / 1000 + 3600,
    })
    const verifier = createVerify('RSA-SHA256').update(`${head}.${claims}`)
    expect(verifier.verify(publicKey, signature, 'base64url')).toBe(true)
  })

  it('renews the token of a person who is logged in', async () => {
    const path = join(directory, 'application_default_credentials.json')
    await file('application_default_credentials.json', {
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 'hush',
      refresh_token: 'refresh',
    })
    const at = await setting(
      { 'POST oauth2.googleapis.com/token': () => ({ body: { access_token: 'mine' } }) },
      { CLOUDSDK_CONFIG: directory },
    )
    expect(await at.source('gcr.io', 'project/app')).toEqual(basic('mine', NOW + 3600_000))
    await rm(path)
    expect(at.emulator.log[0]?.form.get('refresh_token')).toBe('refresh')
  })

  it('federates an identity of somebody else', async () => {
    const account = '/v1/projects/-/serviceAccounts/b@p.iam.gserviceaccount.com:generateAccessToken'
    const at = await setting(
      {
        'POST sts.googleapis.com/v1/token': () => ({ body: { access_token: 'federated', expires_in: 60 } }),
        [`POST iamcredentials.googleapis.com${account}`]: () => ({
          body: { accessToken: 'impersonated', expireTime: '2026-01-02T04:00:00Z' },
        }),
      },
      {
        GOOGLE_APPLICATION_CREDENTIALS: await file('external.json', {
          type: 'external_account',
          audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          token_url: 'https://sts.googleapis.com/v1/token',
          service_account_impersonation_url: `https://iamcredentials.googleapis.com${account}`,
          credential_source: {
            file: await file('subject.json', { id_token: 'kubernetes.token' }),
            format: { type: 'json', subject_token_field_name: 'id_token' },
          },
        }),
      },
    )
    expect(await at.source('gcr.io', 'project/app')).toEqual(
      basic('impersonated', Date.UTC(2026, 0, 2, 4, 0, 0)),
    )
    expect(at.emulator.log[0]?.form.get('subject_token')).toBe('kubernetes.token')
    expect(at.emulator.log[1]?.headers.authorization).toBe('Bearer federated')
  })

  it.each([
    ['a program as source', { type: 'external_account', credential_source: { executable: {} } }, 'https'],
    ['another type', { type: 'gdch_service_account' }, 'not supported'],
    ['a service without TLS', { type: 'service_account', token_uri: 'http://169.254.169.254/' }, 'https'],
    ['no JSON', 'ya29.secret-text', 'no JSON object'],
  ])('refuses %s, and quotes nothing of the file', async (_, content, why) => {
    const at = await setting({}, { GOOGLE_APPLICATION_CREDENTIALS: await file('refused.json', content) })
    expect(await at.source('gcr.io', 'project/app')).toBeUndefined()
    expect(at.warnings[0]).toContain(why)
    expect(at.warnings[0]).not.toContain('ya29')
    expect(at.asked()).toEqual([])
  })
})

describe('Azure', () => {
  const REGISTRY = 'team.azurecr.io'
  const exchange: CloudServices = {
    [`POST ${REGISTRY}/oauth2/exchange`]: () => ({ body: { refresh_token: 'acr-refresh' } }),
  }
  const identity = {
    kind: 'identity-token',
    username: '00000000-0000-0000-0000-000000000000',
    token: 'acr-refresh',
    expires: NOW + 2 * 3600_000,
  }

  it('exchanges the token of a workload identity', async () => {
    const at = await setting(
      {
        ...exchange,
        'POST login.example/the-tenant/oauth2/v2.0/token': () => ({ body: { access_token: 'aad' } }),
      },
      {
        AZURE_AUTHORITY_HOST: 'https://login.example/',
        AZURE_CLIENT_ID: 'client',
        AZURE_TENANT_ID: 'the-tenant',
        AZURE_FEDERATED_TOKEN_FILE: await file('federated', 'projected.token'),
      },
    )
    expect(await at.source(REGISTRY, 'app')).toEqual(identity)
    expect(Object.fromEntries(at.emulator.log[0]?.form ?? [])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'client',
      scope: 'https://containerregistry.azure.net/.default',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'projected.token',
    })
    expect(Object.fromEntries(at.emulator.log[1]?.form ?? [])).toEqual({
      grant_type: 'access_token',
      service: REGISTRY,
      access_token: 'aad',
    })
  })

  it('takes a client secret', async () => {
    const at = await setting(
      {
        ...exchange,
        'POST login.microsoftonline.com/t/oauth2/v2.0/token': () => ({ body: { access_token: 'aad' } }),
      },
      { AZURE_CLIENT_ID: 'client', AZURE_TENANT_ID: 't', AZURE_CLIENT_SECRET: 'hush' },
    )
    expect(await at.source(REGISTRY, 'app')).toEqual(identity)
    expect(at.emulator.log[0]?.form.get('client_secret')).toBe('hush')
  })

  it("takes the machine's managed identity, and that of an app service", async () => {
    const at = await setting({
      ...exchange,
      'GET 169.254.169.254/metadata/identity/oauth2/token': () => ({ body: { access_token: 'managed' } }),
    })
    expect(await at.source(REGISTRY, 'app')).toEqual(identity)
    expect(at.emulator.log[0]).toMatchObject({ direct: true, headers: { metadata: 'true' } })
    expect(at.emulator.log[0]?.url.search).toBe(
      '?api-version=2018-02-01&resource=https%3A%2F%2Fcontainerregistry.azure.net',
    )
    const app = await setting(
      { ...exchange, 'GET 127.0.0.1:41/msi/token': () => ({ body: { access_token: 'managed' } }) },
      { IDENTITY_ENDPOINT: 'http://127.0.0.1:41/msi/token', IDENTITY_HEADER: 'h' },
    )
    expect(await app.source(REGISTRY, 'app')).toEqual(identity)
    expect(app.emulator.log[0]?.headers['x-identity-header']).toBe('h')
  })
})

describe('who is asked', () => {
  it.each([
    'registry.example',
    '127.0.0.1:5000',
    'index.docker.io',
    '123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example',
    'evil.example/123456789012.dkr.ecr.eu-central-1.amazonaws.com',
    'gcr.io.evil.example',
    'evilgcr.io',
    'team.azurecr.io.evil.example',
    '169.254.169.254',
  ])('nobody about %s', async (registry) => {
    const at = await setting(
      {},
      { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B', AZURE_CLIENT_ID: 'C', AZURE_TENANT_ID: 'T' },
    )
    expect(await at.source(registry, 'app')).toBeUndefined()
    expect(at.asked()).toEqual([])
  })

  it.each([
    ['AMAZON', ECR],
    ['AZURE', 'team.azurecr.io'],
    ['GOOGLE', 'gcr.io'],
  ])('nobody when %s is turned off', async (name, registry) => {
    const at = await setting({}, { [`CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_${name}`]: 'true' })
    expect(await at.source(registry, 'app')).toBeUndefined()
    expect(at.asked()).toEqual([])
  })

  it('a registry gets what its cloud gave, and a bearer token for it', async () => {
    await using server = await startTestRegistry({
      auth: { kind: 'bearer', users: {}, identityTokens: ['acr-refresh'] },
    })
    await using clouds = await startClouds({
      'GET 169.254.169.254/metadata/identity/oauth2/token': () => ({ body: { access_token: 'managed' } }),
      'POST team.azurecr.io/oauth2/exchange': () => ({ body: { refresh_token: 'acr-refresh' } }),
    })
    await using real = disposable(createHttpClient())
    server.faults.realm = 'https://team.azurecr.io/oauth2/token'
    // The registry is the test's under the cloud's name; all else is the emulator's.
    const http: HttpClient = {
      ...clouds.http,
      send: async (request) => {
        const { host, pathname, search } = new URL(request.url)
        if (host !== 'team.azurecr.io' || pathname === '/oauth2/exchange') return clouds.http.send(request)
        const path = pathname === '/oauth2/token' ? '/token' : pathname
        const response = await real.send({ ...request, url: server.url + path + search })
        return { ...response, url: request.url }
      },
    }
    const registry = createRegistry({ http, credentials: cloudCredentials({ http, env: {} }) })
    const repository = registry.repository(parseReference('team.azurecr.io/app'))
    await repository.verifyAccess('write')
    expect(clouds.log).toHaveLength(2)
    expect(server.askedScopes).toEqual([['repository:app:pull,push']])
  })
})

function disposable(client: HttpClient): HttpClient & AsyncDisposable {
  return { ...client, [Symbol.asyncDispose]: () => client.close() }
}
