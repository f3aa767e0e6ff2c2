import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LayerPlan, layersIn } from './layers.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-layers-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const toml = () => readFileSync(join(root, 'a.toml'), 'utf8')

/** A layer as the restorer leaves it: metadata without types, contents where they were cached. */
function restored(key: string, contents: boolean): void {
  writeFileSync(join(root, 'a.toml'), `[metadata]\nkey = "${key}"\n`)
  if (contents) {
    mkdirSync(join(root, 'a'))
    writeFileSync(join(root, 'a', 'old'), '')
  }
}

async function provide(types: LayerPlan['types'], key = 'k') {
  let created = 0
  const { outcome } = await layersIn(root).provide('a', {
    types,
    key: { key },
    create: async (layer) => {
      created++
      expect(readdirSync(layer.path)).toEqual([])
      writeFileSync(join(layer.path, 'new'), '')
    },
  })
  return { outcome, created }
}

describe('provide', () => {
  it('creates what was not there', async () => {
    expect(await provide({ launch: true })).toEqual({ outcome: 'created', created: 1 })
    expect(toml()).toBe(
      '[types]\n  launch = true\n  build = false\n  cache = false\n\n[metadata]\n  key = "k"\n',
    )
  })

  it('keeps contents that came back under the same key', async () => {
    restored('k', true)
    expect(await provide({ launch: true, cache: true })).toEqual({ outcome: 'kept', created: 0 })
    expect(readdirSync(join(root, 'a'))).toEqual(['old'])
    expect(toml()).toContain('cache = true')
  })

  it('reuses a launch layer without its contents, by its metadata alone', async () => {
    restored('k', false)
    expect(await provide({ launch: true })).toEqual({ outcome: 'reused', created: 0 })
    expect(existsSync(join(root, 'a'))).toBe(false)
    expect(toml()).toContain('launch = true')
  })

  it('does not take metadata for contents where a layer must be here', async () => {
    restored('k', false)
    expect(await provide({ launch: true, cache: true })).toEqual({ outcome: 'created', created: 1 })
  })

  it('creates anew under another key, and with more or other metadata', async () => {
    restored('other', true)
    expect(await provide({ cache: true })).toEqual({ outcome: 'created', created: 1 })
    writeFileSync(join(root, 'a.toml'), '[metadata]\nkey = "k"\nmore = 1\n')
    expect((await provide({ cache: true })).outcome).toBe('created')
    writeFileSync(join(root, 'a.toml'), '[metadata]\nkey = 1\n')
    expect((await provide({ cache: true }, '1')).outcome).toBe('created')
  })

  it('leaves nothing of a layer whose making failed', async () => {
    restored('other', true)
    const plan = { types: { launch: true }, key: {}, create: async () => Promise.reject(new Error('no')) }
    await expect(layersIn(root).provide('a', plan)).rejects.toThrow('no')
    expect(readdirSync(root)).toEqual([])
  })

  it.each(['build', 'launch', 'store', '../x', 'a/b'])('refuses the name %s', async (name) => {
    expect(() => layersIn(root).get(name)).toThrow()
  })
})

describe('environment', () => {
  it('writes one file per operation and leaves right ones alone', async () => {
    const layer = await layersIn(root).get('a')
    const changes = { PATH: { prepend: '/x', delimiter: ':' }, NODE_ENV: { default: 'production' } }
    await layer.environment('launch', changes)
    const folder = join(root, 'a', 'env.launch')
    expect(readdirSync(folder).sort()).toEqual(['NODE_ENV.default', 'PATH.delim', 'PATH.prepend'])
    expect(readFileSync(join(folder, 'PATH.prepend'), 'utf8')).toBe('/x')

    const before = statSync(join(folder, 'PATH.prepend'), { bigint: true }).ctimeNs
    await layer.environment('launch', { PATH: changes.PATH, B: { append: 'b' } })
    expect(statSync(join(folder, 'PATH.prepend'), { bigint: true }).ctimeNs).toBe(before)
    expect(readdirSync(folder).sort()).toEqual(['B.append', 'PATH.delim', 'PATH.prepend'])
  })

  it('knows the directories of every scope', async () => {
    const layer = await layersIn(root).get('a')
    for (const scope of ['build', 'both', { process: 'web' }] as const)
      await layer.environment(scope, { A: { override: '1' } })
    for (const folder of ['env.build', 'env', 'env.launch/web'])
      expect(readdirSync(join(root, 'a', folder))).toEqual(['A.override'])
    // The directory of all processes keeps that of one.
    await layer.environment('launch', {})
    expect(readdirSync(join(root, 'a', 'env.launch'))).toEqual(['web'])
    await expect(layer.environment('build', { '../A': { override: '' } })).rejects.toThrow(TypeError)
  })
})

describe('sbom', () => {
  it('is deterministic CycloneDX beside the layer', async () => {
    const component = (name: string, dependsOn: string[] = []) => ({
      type: 'library' as const,
      name,
      version: '1',
      purl: `pkg:npm/${name}@1`,
      dependsOn,
    })
    const tool = { name: 't', version: '1' }
    const layer = await layersIn(root).get('a')
    await layer.sbom({
      tool,
      components: [component('b'), component('a', ['pkg:npm/b@1']), component('b', ['pkg:npm/a@1'])],
    })
    const text = readFileSync(join(root, 'a.sbom.cdx.json'), 'utf8')
    await layer.sbom({ tool, components: [component('a', ['pkg:npm/b@1']), component('b', ['pkg:npm/a@1'])] })
    expect(readFileSync(join(root, 'a.sbom.cdx.json'), 'utf8')).toBe(text)
    expect(JSON.parse(text)).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      components: [{ 'bom-ref': 'pkg:npm/a@1' }, { 'bom-ref': 'pkg:npm/b@1' }],
      dependencies: [{ ref: 'pkg:npm/a@1', dependsOn: ['pkg:npm/b@1'] }, { ref: 'pkg:npm/b@1' }],
    })
    expect(text).not.toMatch(/serialNumber|timestamp/)
  })
})
