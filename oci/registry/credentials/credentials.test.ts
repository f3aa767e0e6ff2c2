import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { SlipwayError } from '../../../core/error.ts'
import { credentialChain, memoised } from './chain.ts'
import { credentialFiles, dockerConfigCredentials } from './docker.ts'
import { candidateKeys, lookUp, normalizeKey, parseDockerConfig } from './docker-config.ts'
import { askHelper, parseHelperOutput } from './helper.ts'
import { registryAuthCredentials } from './registry-auth.ts'
import type { Credential, CredentialSource } from './types.ts'

const b64 = (text: string) => Buffer.from(text).toString('base64')
const basic = (username: string, password: string): Credential => ({ kind: 'basic', username, password })

describe('docker config', () => {
  it('reads every form of an entry', () => {
    const config = parseDockerConfig(
      JSON.stringify({
        auths: {
          'https://index.docker.io/v1/': { auth: b64('me:p:w') },
          'gcr.io': { username: 'u', password: 'p' },
          'https://r.example/v2/': { auth: b64('x:ignored'), identitytoken: 'id' },
          'token.example': { registrytoken: 'rt' },
          'padded.example': { auth: Buffer.from('u:p\0\0').toString('base64') },
          'empty.example': {},
          'odd.example': 'text',
        },
        credHelpers: { 'aws.example': 'ecr-login', bad: 1 },
        credsStore: 'desktop',
        HttpHeaders: {},
      }),
      'config.json',
    )
    expect([...config.auths]).toEqual([
      ['index.docker.io', basic('me', 'p:w')],
      ['gcr.io', basic('u', 'p')],
      ['r.example', { kind: 'identity-token', token: 'id', username: 'x' }],
      ['token.example', { kind: 'bearer', token: 'rt' }],
      ['padded.example', basic('u', 'p')],
    ])
    expect([...config.credHelpers]).toEqual([['aws.example', 'ecr-login']])
    expect(config.credsStore).toBe('desktop')
  })

  it.each(['{"auths": {"x": {"auth": "hunter2', '[]', '{"auths":{"x":{"auth":"aHVudGVyMg=="}}}'])(
    'names the file and shows nothing of it: %s',
    (text) => {
      try {
        parseDockerConfig(text, '/home/me/.docker/config.json')
        expect.unreachable()
      } catch (error) {
        expect(error).toMatchObject({
          code: 'OCI_CREDENTIALS_INVALID',
          subject: '/home/me/.docker/config.json',
        })
        expect((error as Error).message).not.toMatch(/hunter2|aHVudGVyMg/)
      }
    },
  )

  it.each([
    ['https://index.docker.io/v1/', 'index.docker.io'],
    ['docker.io', 'index.docker.io'],
    ['registry-1.docker.io', 'index.docker.io'],
    ['HTTP://R.example:5000/', 'r.example:5000'],
    ['r.example/v2', 'r.example'],
    ['r.example/Team/app', 'r.example/Team/app'],
  ])('key %s is %s', (key, expected) => {
    expect(normalizeKey(key)).toBe(expected)
  })

  it('finds the most particular entry', () => {
    const entries = new Map([
      ['r.example', 'host'],
      ['r.example/team', 'team'],
      ['r.example/team/app', 'app'],
      ['*.cloud.example', 'cloud'],
    ])
    const find = (registry: string, repository: string) =>
      lookUp(entries, candidateKeys(registry, repository))
    expect(find('r.example', 'team/app')).toBe('app')
    expect(find('r.example', 'team/other')).toBe('team')
    expect(find('r.example', 'teams/app')).toBe('host')
    expect(find('r.example:5000', 'team/app')).toBeUndefined()
    expect(find('a.cloud.example', 'x')).toBe('cloud')
    expect(find('a.b.cloud.example', 'x')).toBeUndefined()
  })

  it('fails with nothing but its own error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          parseDockerConfig(text, 'f')
        } catch (error) {
          expect((error as SlipwayError).code).toBe('OCI_CREDENTIALS_INVALID')
        }
      }),
    )
  })
})

describe('CNB_REGISTRY_AUTH', () => {
  it('reads the three schemes and reduces keys to hosts', async () => {
    const source = registryAuthCredentials(
      JSON.stringify({
        'r.example': `Basic ${b64('u:p:q')}`,
        'https://t.example/v2/': 'bearer tok',
        'docker.io': 'X-IDENTITY id',
        'p.example:5000/team': `basic ${b64('a:b')}`,
      }),
    )
    expect(await source('r.example', 'x')).toEqual(basic('u', 'p:q'))
    expect(await source('t.example', 'x')).toEqual({ kind: 'bearer', token: 'tok' })
    expect(await source('index.docker.io', 'x')).toEqual({ kind: 'identity-token', token: 'id' })
    expect(await source('p.example:5000', 'other')).toEqual(basic('a', 'b'))
    expect(await source('p.example', 'other')).toBeUndefined()
    expect(await registryAuthCredentials('')('r.example', 'x')).toBeUndefined()
    expect(await registryAuthCredentials(undefined)('r.example', 'x')).toBeUndefined()
  })

  it('does not mind a header for a registry that nobody asks for', async () => {
    const source = registryAuthCredentials(`{"unused.example": "", "r.example": "Basic ${b64('u:p')}"}`)
    expect(await source('r.example', 'x')).toEqual(basic('u', 'p'))
    await expect(source('unused.example', 'x')).rejects.toThrow('the value of "unused.example" is none of')
  })

  it.each([
    '{',
    '[]',
    '{"a": 1}',
    '{"a": "Digest hunter2"}',
    '{"a": "Basic"}',
    `{"a": "Basic ${b64('hunter2')}"}`,
  ])('refuses %s without showing it', async (text) => {
    try {
      await registryAuthCredentials(text)('a', 'x')
      expect.unreachable()
    } catch (error) {
      expect((error as SlipwayError).code).toBe('OCI_CREDENTIALS_INVALID')
      expect((error as Error).message).not.toMatch(/hunter2|aHVudGVyMg/)
    }
  })
})

describe('files and helpers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-credentials-'))
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  afterAll(() => rmSync(directory, { recursive: true }))
  const helper = (name: string, script: string) => {
    const path = join(bin, `docker-credential-${name}`)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
  }
  const write = (name: string, content: object) => {
    const path = join(directory, name)
    writeFileSync(path, JSON.stringify(content))
    return path
  }
  const env = { PATH: `${bin}:/usr/bin:/bin` }

  it('looks where docker and podman look', () => {
    expect(credentialFiles({ HOME: '/h' })).toEqual([
      '/h/.docker/config.json',
      '/h/.docker/.dockerconfigjson',
      '/h/.config/containers/auth.json',
    ])
    expect(
      credentialFiles({ HOME: '/h', DOCKER_CONFIG: '/d', XDG_RUNTIME_DIR: '/r', XDG_CONFIG_HOME: '/c' }),
    ).toEqual([
      '/d/config.json',
      '/d/.dockerconfigjson',
      '/r/containers/auth.json',
      '/c/containers/auth.json',
    ])
    expect(credentialFiles({ DOCKER_CONFIG: '/d', REGISTRY_AUTH_FILE: '/a' }).at(-1)).toBe('/a')
    expect(credentialFiles({})).toEqual([])
  })

  it('asks the helper of the registry, then the store, then the file', async () => {
    helper('one', 'read server; echo "{\\"Username\\":\\"one\\",\\"Secret\\":\\"$server\\"}"')
    helper('none', 'echo "credentials not found in native keychain"; exit 1')
    const one = write('one.json', {
      auths: { 'r.example': { auth: b64('file:f') }, 'h.example': { auth: b64('file:f') } },
      credHelpers: { 'h.example': 'one', 'docker.io': 'one' },
      credsStore: 'none',
    })
    const two = write('two.json', { auths: { 'second.example': { auth: b64('second:s') } } })
    const source = dockerConfigCredentials({ files: [join(directory, 'missing'), one, two], env })
    expect(await source('h.example', 'a')).toEqual(basic('one', 'h.example'))
    expect(await source('index.docker.io', 'a')).toEqual(basic('one', 'https://index.docker.io/v1/'))
    expect(await source('r.example', 'a')).toEqual(basic('file', 'f'))
    expect(await source('second.example', 'a')).toEqual(basic('second', 's'))
    expect(await source('other.example', 'a')).toBeUndefined()
  })

  it('warns of helpers that fail, and goes on', async () => {
    helper('broken', 'echo "cannot open display token=hunter2" >&2; exit 3')
    const file = write('broken.json', { auths: { 'r.example': { auth: b64('u:p') } }, credsStore: 'broken' })
    const warnings: string[] = []
    const source = dockerConfigCredentials({ files: [file], env, warn: (message) => warnings.push(message) })
    expect(await source('r.example', 'a')).toEqual(basic('u', 'p'))
    expect(warnings).toEqual([expect.stringContaining('ended with 3: cannot open display')])
    await expect(askHelper('missing', 'r', env)).rejects.toThrow(/cannot be started/)
    await expect(askHelper('../evil', 'r', env)).rejects.toThrow(/may hold only/)
  })

  it('reads what helpers print', () => {
    expect(parseHelperOutput('x', '{"ServerURL":"s","Username":"<token>","Secret":"id"}')).toEqual({
      kind: 'identity-token',
      token: 'id',
    })
    expect(parseHelperOutput('x', '{"Username":"","Secret":""}')).toBeUndefined()
    for (const text of ['', 'null', '[]', '{"Username":1,"Secret":"hunter2"}', 'hunter2']) {
      expect(() => parseHelperOutput('x', text)).toThrow(SlipwayError)
      expect(() => parseHelperOutput('x', text)).not.toThrow(/hunter2/)
    }
  })

  it('does not fall over a file that is a directory', async () => {
    const source = dockerConfigCredentials({ files: [directory], env })
    await expect(source('r.example', 'a')).rejects.toMatchObject({ code: 'OCI_CREDENTIALS_INVALID' })
  })
})

describe('chains', () => {
  it('take the first, once', async () => {
    let asked = 0
    const none: CredentialSource = async () => {
      asked++
      return undefined
    }
    const some: CredentialSource = async () => basic('u', 'p')
    const source = memoised(credentialChain(none, some))
    const found = await Promise.all([source('r', 'a'), source('r', 'a'), source('r', 'b')])
    expect(found).toEqual([basic('u', 'p'), basic('u', 'p'), basic('u', 'p')])
    expect(asked).toBe(2)
  })

  it('do not remember a failure', async () => {
    let failures = 1
    const source = memoised(async () => {
      if (failures-- > 0) throw new Error('locked')
      return undefined
    })
    await expect(source('r', 'a')).rejects.toThrow('locked')
    expect(await source('r', 'a')).toBeUndefined()
  })
})
