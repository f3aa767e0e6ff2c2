import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { mountedRoot } from '../../core/root.ts'
import type { Cache } from '../../lifecycle/cache/cache.ts'
import type { LayerRecord } from '../../lifecycle/cache/records.ts'
import { digestOf } from '../../oci/digest.ts'
import { parseBuildpackId, parseLayerName } from '../../spec/names.ts'
import { keptLayers } from './kept-layers.ts'

const DEPS = containerPath('/layers/test_node/deps')
const SHA = digestOf('deps')

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'slipway-kept-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A build's directory over a store of kept layers. */
function buildIn(parent: string) {
  const build = mkdtempSync(join(parent, 'build-'))
  mkdirSync(join(build, 'layers'))
  const root = mountedRoot(join(build, 'root'), [
    { path: containerPath('/layers'), host: join(build, 'layers') },
  ])
  const kept = keptLayers({ store: join(parent, 'kept'), build, root })
  return { kept, at: (path: string) => join(build, path), leave: () => rmSync(build, { recursive: true }) }
}

/** A cache that holds `deps`, and knows of `known`. */
function cacheOf(...known: readonly ContainerPath[]): Cache {
  const record: LayerRecord = {
    diffId: SHA,
    size: 0,
    owner: '',
    state: { shape: '', identity: '', time: 0n },
  }
  const layers = new Map([[parseLayerName('deps'), { sha: SHA, cache: true, build: false, launch: false }]])
  return {
    metadata: async () => ({
      sbom: { sha: '' },
      buildpacks: [{ id: parseBuildpackId('test/node'), version: '1', layers }],
    }),
    records: { read: () => new Map(known.map((path) => [path, record])), write: () => {} },
  } as Partial<Cache> as Cache
}

function write(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
}

test('the next build has the cached layer back, and nothing that it did not ask for', async () => {
  const parent = folder()
  const first = buildIn(parent)
  write(first.at('layers/test_node/deps/file'), 'dependency')
  write(first.at('layers/test_node/other/file'), 'launch only')
  write(first.at('layers/secret'), 'secret')
  await first.kept.keep(cacheOf(DEPS, containerPath('/layers/test_node/other')))
  first.leave()

  const second = buildIn(parent)
  expect(readdirSync(second.at('layers'))).toEqual([])
  second.kept.take(DEPS)
  second.kept.take(containerPath('/layers/test_node/other'))
  expect(readFileSync(second.at('layers/test_node/deps/file'), 'utf8')).toBe('dependency')
  expect(readdirSync(second.at('layers/test_node'))).toEqual(['deps'])
})

test('a layer of which nothing is known is not kept', async () => {
  const parent = folder()
  const first = buildIn(parent)
  write(first.at('layers/test_node/deps/file'), 'dependency')
  await first.kept.keep(cacheOf())
  expect(readdirSync(join(parent, 'kept'))).toEqual([])
})

test.each(['test_node', 'test_node/deps'])('a link in the place of %s is not followed', async (name) => {
  const parent = folder()
  const outside = join(parent, 'outside')
  write(join(outside, 'deps/file'), 'not of the build')
  const first = buildIn(parent)
  write(first.at('layers/test_node/deps/file'), 'dependency')
  renameSync(first.at(`layers/${name}`), first.at('moved'))
  symlinkSync(outside, first.at(`layers/${name}`))
  await first.kept.keep(cacheOf(DEPS))
  expect(existsSync(join(outside, 'deps/file'))).toBe(true)
  expect(readdirSync(join(parent, 'kept'))).toEqual([])
})

test('of two builds at once one has the layers, and the last to end leaves its own', async () => {
  const parent = folder()
  const first = buildIn(parent)
  write(first.at('layers/test_node/deps/file'), 'first')
  await first.kept.keep(cacheOf(DEPS))

  const [one, other] = [buildIn(parent), buildIn(parent)]
  one.kept.take(DEPS)
  other.kept.take(DEPS)
  expect(existsSync(one.at('layers/test_node/deps'))).toBe(true)
  expect(existsSync(other.at('layers/test_node/deps'))).toBe(false)
  write(other.at('layers/test_node/deps/file'), 'other')
  await one.kept.keep(cacheOf(DEPS))
  await other.kept.keep(cacheOf(DEPS))

  const last = buildIn(parent)
  last.kept.take(DEPS)
  expect(readFileSync(last.at('layers/test_node/deps/file'), 'utf8')).toBe('other')
})
