import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseReference } from '../oci/reference.ts'
import { startTestRegistry } from '../oci/registry/testing/server.ts'
import { randomImage } from '../oci/testing/index.ts'
import type { Program } from './program.ts'
import { type Environment, openSession } from './session.ts'

function session() {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-session-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  // Nothing else of the program is asked for by what has to do with registries.
  const program = { version: 'test' } as Program
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  return {
    write,
    open: (env: Environment) => openSession(program, { SLIPWAY_HOME: directory, ...env }),
  }
}

test('registries are spoken to as registries.conf says', async () => {
  await using server = await startTestRegistry()
  const { write, open } = session()
  const conf = write(
    'registries.conf',
    `[[registry]]
prefix = "upstream.invalid"
[[registry.mirror]]
location = "${server.host}/mirror"
[[registry]]
prefix = "blocked.invalid"
blocked = true
`,
  )
  await using at = open({ CONTAINERS_REGISTRIES_CONF: conf })
  const registry = await at.registry(() => {}, [])
  const repository = registry.repository(parseReference(`${server.host}/mirror/team/base`))
  const { digest } = await randomImage({ repository, tags: ['run'] })
  const mirrored = registry.repository(parseReference('upstream.invalid/team/base:run'))
  expect(await mirrored.manifestDigest('run')).toBe(digest)
  expect(() => registry.repository(parseReference('blocked.invalid/team/base'))).toThrow(
    expect.objectContaining({ code: 'OCI_REGISTRY_BLOCKED' }),
  )
})
