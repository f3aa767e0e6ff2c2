import { afterAll, beforeAll, describe } from 'vitest'
import { createHttpClient } from '../../core/http/client.ts'
import type { CredentialSource } from './credentials/types.ts'
import { createRegistry } from './registry.ts'
import type { TestAuth } from './testing/auth.ts'
import { startTestRegistry, type TestRegistry } from './testing/server.ts'
import { clientSuite, type Peer } from './testing/suite.ts'

const users = { builder: 'pass:word' }
const basic: CredentialSource = async () => ({ kind: 'basic', username: 'builder', password: 'pass:word' })
const identity: CredentialSource = async () => ({ kind: 'identity-token', token: 'refresh-1' })

const peers: readonly [string, TestAuth, CredentialSource | undefined][] = [
  ['open', { kind: 'none' }, undefined],
  ['basic', { kind: 'basic', users }, basic],
  ['bearer', { kind: 'bearer', users }, basic],
  ['bearer by identity token', { kind: 'bearer', users, identityTokens: ['refresh-1'] }, identity],
]

describe.each(peers)('a test registry: %s', (title, auth, credentials) => {
  let server: TestRegistry
  let peer: Peer
  const http = createHttpClient()

  beforeAll(async () => {
    server = await startTestRegistry({ auth })
    // Half of them with the referrers API, half with the index under a tag.
    server.faults.referrers = auth.kind === 'bearer'
    const registry = createRegistry({ http, ...(credentials === undefined ? {} : { credentials }) })
    peer = { host: server.host, registry }
  })
  afterAll(async () => {
    await http.close()
    await server.close()
  })

  clientSuite(title, () => peer)
})
