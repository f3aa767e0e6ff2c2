import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import { digestOf } from '../digest.ts'
import { parseReference } from '../reference.ts'
import type { CredentialSource } from './credentials/types.ts'
import { type PullRule, parsePullRules } from './pull-rules.ts'
import { createRegistry } from './registry.ts'
import { startTestRegistry, type TestRegistry } from './testing/server.ts'
import { codeOf, pushImage, read } from './testing/suite.ts'

const http = createHttpClient()
afterAll(() => http.close())

let upstream: TestRegistry
let mirror: TestRegistry
let rules: PullRule[]
const asked: string[] = []
const credentials: CredentialSource = async (registry) => {
  asked.push(registry)
  return { kind: 'basic', username: 'me', password: registry === upstream.host ? 'upstream' : 'mirror' }
}

beforeEach(async () => {
  asked.length = 0
  upstream = await startTestRegistry({ auth: { kind: 'basic', users: { me: 'upstream' } } })
  mirror = await startTestRegistry({ auth: { kind: 'basic', users: { me: 'mirror' } } })
  rules = parsePullRules(
    { registry: [{ prefix: upstream.host, mirror: [{ location: `${mirror.host}/cached` }] }] },
    'registries.conf',
  )
})
afterEach(async () => {
  await upstream.close()
  await mirror.close()
})

const connect = () =>
  createRegistry({ http, credentials, rules, retry: { attempts: 2, sleep: async () => {} } })
const open = (registry = connect()) => registry.repository(parseReference(`${upstream.host}/team/app`))
const direct = (host: string, name: string) =>
  createRegistry({ http, credentials }).repository(parseReference(`${host}/${name}`))
const kinds = (server: TestRegistry) => server.log.map(({ kind }) => kind)

describe('a mirror', () => {
  it('is read in place of the registry, with credentials of its own', async () => {
    const { digest, layer } = await pushImage(direct(mirror.host, 'cached/team/app'), ['latest'])
    const repository = open()
    await repository.verifyAccess('read')
    expect((await repository.getManifest('latest'))?.digest).toBe(digest)
    expect(await repository.manifestDigest('latest')).toBe(digest)
    expect((await read(repository.openBlob(digestOf(layer)))).equals(layer)).toBe(true)
    expect(upstream.log).toEqual([])
    expect(asked).not.toContain(upstream.host)
  })

  it('is passed over for what it lacks', async () => {
    const { digest, layer } = await pushImage(direct(upstream.host, 'team/app'), ['latest'])
    const repository = open()
    await repository.verifyAccess('read')
    expect((await repository.getManifest('latest'))?.digest).toBe(digest)
    expect((await read(repository.openBlob(digestOf(layer)))).equals(layer)).toBe(true)
    expect(kinds(mirror)).toContain('blob-get')
    expect(await repository.getManifest('absent')).toBeUndefined()
  })

  it('that fails is asked no more in this process', async () => {
    const { digest, layer } = await pushImage(direct(upstream.host, 'team/app'), ['latest'])
    mirror.faults.answer = { status: 500, times: 1000 }
    const registry = connect()
    expect((await open(registry).getManifest('latest'))?.digest).toBe(digest)
    mirror.resetCounters()
    expect((await read(open(registry).openBlob(digestOf(layer)))).equals(layer)).toBe(true)
    expect(mirror.log).toEqual([])
    await mirror.close()
    expect((await open().getManifest('latest'))?.digest).toBe(digest)
  })

  it('that changes bytes is found out', async () => {
    const { digest, layer } = await pushImage(direct(mirror.host, 'cached/team/app'), ['latest'])
    await pushImage(direct(upstream.host, 'team/app'), ['latest'])
    mirror.faults.corruptBodies = true
    expect(await open().getManifest(digest)).toBeUndefined()
    expect(await codeOf(read(open().openBlob(digestOf(layer))))).toBe('OCI_DIGEST_MISMATCH')
  })

  it('is never written to, and not read once the repository was written', async () => {
    const old = await pushImage(direct(mirror.host, 'cached/team/app'), ['latest'])
    mirror.resetCounters()
    const repository = open()
    const { digest } = await pushImage(repository, ['latest'])
    expect(digest).not.toBe(old.digest)
    expect((await repository.getManifest('latest'))?.digest).toBe(digest)
    expect(mirror.log).toEqual([])
    const other = direct(upstream.host, 'team/base')
    const bytes = randomBytes(100)
    await other.putBlob({
      open: async function* () {
        yield bytes
      },
    })
    const from = connect()
    const target = open(from)
    const base = from.repository(parseReference(`${upstream.host}/team/base`))
    expect(await target.mountBlob(digestOf(bytes), base)).toBe(true)
  })

  it('may serve digests alone', async () => {
    const { digest } = await pushImage(direct(mirror.host, 'cached/team/app'), ['latest'])
    rules = rules.map((rule) => ({
      ...rule,
      mirrors: rule.mirrors.map((place) => ({ ...place, serves: 'digest-only' as const })),
    }))
    expect(await open().getManifest('latest')).toBeUndefined()
    expect((await open().getManifest(digest))?.digest).toBe(digest)
  })

  it('takes the place of a registry that was moved', async () => {
    const { digest } = await pushImage(direct(mirror.host, 'cached/team/app'), ['latest'])
    rules = parsePullRules(
      { registry: [{ prefix: upstream.host, location: `${mirror.host}/cached` }] },
      'registries.conf',
    )
    expect((await open().getManifest('latest'))?.digest).toBe(digest)
    await upstream.close()
    expect(await open().getManifest('absent')).toBeUndefined()
  })
})

it('a blocked registry is not spoken to', () => {
  rules = parsePullRules({ registry: [{ prefix: upstream.host, blocked: true }] }, 'registries.conf')
  expect(() => open()).toThrow(expect.objectContaining({ code: 'OCI_REGISTRY_BLOCKED' }))
})
