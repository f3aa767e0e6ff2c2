import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseReference, referenceName } from '../reference.ts'
import { insecureEntries, parsePullRules, pullPlaces, ruleFor } from './pull-rules.ts'
import { readPullRules } from './pull-rules-files.ts'

const rules = (...registry: object[]) => parsePullRules({ registry }, 'registries.conf')

function placesOf(name: string, ...registry: object[]): string[] | undefined {
  const reference = parseReference(name)
  const rule = ruleFor(rules(...registry), reference)
  return rule && pullPlaces(rule, reference).map((place) => referenceName(place.reference))
}

describe('registries.conf', () => {
  it('puts the location of a mirror in place of the prefix', () => {
    const hub = {
      prefix: 'docker.io',
      mirror: [{ location: 'mirror.example:5000/hub' }, { location: 'b.example' }],
    }
    expect(placesOf('node:22', hub)).toEqual([
      'mirror.example:5000/hub/library/node:22',
      'b.example/library/node:22',
    ])
    const team = { prefix: 'r.example/team', mirror: [{ location: 'm.example/t' }] }
    expect(placesOf('r.example/team/app', team)).toEqual(['m.example/t/app:latest'])
    expect(placesOf('r.example/teams/app', team)).toBeUndefined()
    expect(placesOf('other.example/team/app', team)).toBeUndefined()
  })

  it('takes the longest prefix, and of equal ones the later', () => {
    const all = [
      { prefix: 'r.example', mirror: [{ location: 'short.example' }] },
      { prefix: 'r.example/team', mirror: [{ location: 'first.example' }] },
      { prefix: 'r.example/team', mirror: [{ location: 'long.example' }] },
      { prefix: '*.example', mirror: [{ location: 'any.invalid' }] },
    ]
    expect(placesOf('r.example/team/app', ...all)).toEqual(['long.example/app:latest'])
    expect(placesOf('r.example/else', ...all.slice(0, 3))).toEqual(['short.example/else:latest'])
    expect(placesOf('q.example:5000/a/b', ...all)).toBeUndefined()
    expect(placesOf('q.example/a/b', ...all)).toEqual(['any.invalid/a/b:latest'])
  })

  it('knows another location, blocked and insecure registries', () => {
    expect(placesOf('r.example/app', { prefix: 'r.example', location: 'elsewhere.example/x' })).toEqual([
      'elsewhere.example/x/app:latest',
    ])
    const [rule] = rules({
      location: 'r.example',
      insecure: true,
      blocked: true,
      'mirror-by-digest-only': true,
      mirror: [
        { location: 'm.example', insecure: true },
        { location: 'n.example', 'pull-from-mirror': 'tag-only' },
      ],
    })
    expect(rule).toEqual({
      prefix: 'r.example',
      insecure: true,
      blocked: true,
      mirrors: [
        { location: 'm.example', insecure: true, serves: 'digest-only' },
        { location: 'n.example', insecure: false, serves: 'tag-only' },
      ],
    })
    expect(rule && insecureEntries(rule)).toEqual(['r.example', 'm.example'])
  })

  it.each([
    [{ mirror: [] }, 'neither prefix nor location'],
    [{ prefix: 'r.example', mirror: [{}] }, 'has no location'],
    [{ prefix: 'r.example', mirror: [{ location: 'https://m.example' }] }, 'not a registry'],
    [{ prefix: 'r.example', mirror: [{ location: 'm.example/../..' }] }, 'not a registry'],
    [{ prefix: 'r.example', mirror: 'm.example' }, 'must be tables'],
    [{ prefix: 'r.example', mirror: [{ location: 'm.example', 'pull-from-mirror': 'some' }] }, 'none of'],
    [{ prefix: 1 }, 'must be a string'],
    [{ prefix: 'r.example', insecure: 'yes' }, 'true or false'],
  ])('%j is refused', (registry, why) => {
    expect(() => rules(registry)).toThrow(
      expect.objectContaining({ code: 'OCI_REGISTRIES_CONF_INVALID', message: expect.stringContaining(why) }),
    )
  })
})

describe('its files', () => {
  const top = mkdtempSync(join(tmpdir(), 'slipway-registries-conf-'))
  afterAll(() => rmSync(top, { recursive: true, force: true }))
  const write = (path: string, prefix: string) => {
    mkdirSync(join(top, path, '..'), { recursive: true })
    writeFileSync(join(top, path), JSON.stringify({ registry: [{ prefix }] }))
  }
  write('named.conf', 'named.example')
  write('home/.config/containers/registries.conf', 'main.example')
  write('home/.config/containers/registries.conf.d/2.conf', 'second.example')
  write('home/.config/containers/registries.conf.d/1.conf', 'first.example')
  write('home/.config/containers/registries.conf.d/README', 'none.example')
  // The machine that this runs on may have files of its own.
  const parse = (text: string, file: string): unknown => (file.startsWith(top) ? JSON.parse(text) : {})
  const prefixes = (env: Record<string, string>) => readPullRules(env, parse).map(({ prefix }) => prefix)

  it("are the user's, with what lies beside them, or the one that is named", () => {
    expect(prefixes({ CONTAINERS_REGISTRIES_CONF: join(top, 'named.conf') })).toEqual(['named.example'])
    expect(prefixes({ CONTAINERS_REGISTRIES_CONF: join(top, 'missing.conf') })).toEqual([])
    expect(prefixes({ XDG_CONFIG_HOME: join(top, 'home', '.config') })).toEqual([
      'main.example',
      'first.example',
      'second.example',
    ])
  })
})
