import { lstatSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { imageLayers } from '../../oci/read-image.ts'
import { collect } from '../../oci/testing/temporary.ts'
import type { Cache } from '../cache/cache.ts'
import { isUntouched, settledState } from '../cache/tree-state.ts'
import {
  APP,
  type Built,
  build,
  CACHED_LAYER,
  groupOf,
  LAUNCHER,
  OWNER,
  RUN,
  workbench,
} from './export/testing/workbench.ts'
import { type ExportInputs, exportImage } from './export.ts'
import { type RestoreInputs, restore } from './restore.ts'

const DEPS = containerPath('/layers/test_node/deps')
const APP_DIR = containerPath('/workspace')
/** What a buildpack says again at every build: the restored file has no types. */
const TOML = { '/layers/test_node/deps.toml': CACHED_LAYER['/layers/test_node/deps.toml'] }
const DIRECTORIES = { layersDir: containerPath('/layers'), appDir: APP_DIR }

type Bench = ReturnType<typeof workbench>

/** A built app with one layer for image and cache, which still stands in /layers. */
async function built() {
  const bench = workbench()
  await bench.runImage()
  bench.write({ '/workspace/server.js': 'listen()' })
  const first = await build(bench, { build: () => bench.write(CACHED_LAYER) })
  const at = (path: string) => join(bench.directory, 'root', path)
  return { bench, first, file: at(`${DEPS}/file`), source: at(`${APP_DIR}/server.js`) }
}

const group = groupOf('test/node')
const recordOf = ({ records }: Cache, path = DEPS) => records?.read().get(path)
const isKnown = ({ cache, root }: Bench) => {
  const record = recordOf(cache)
  return record !== undefined && isUntouched(root, DEPS, record.state)
}

function restoreAgain(bench: Bench, { analyzed }: Built, more: Partial<RestoreInputs> = {}) {
  bench.events.length = 0
  return restore({ analyzed, group, run: RUN, ...DIRECTORIES, ...more }, bench.context())
}

/** Exports what stands there; what became of the layer, and whether the image has some bytes in one. */
async function exportAgain(bench: Bench, last: Built, more: Partial<ExportInputs> = {}) {
  bench.events.length = 0
  const { analyzed } = last
  const previousImage = { reference: `${APP}@${last.image.digest}` }
  await exportImage(
    {
      images: [APP],
      analyzed: { ...analyzed, metadata: last.metadata, previousImage },
      group,
      run: RUN,
      ...DIRECTORIES,
      owner: OWNER,
      launcher: LAUNCHER,
      ...more,
    },
    bench.context(),
  )
  const image = await bench.image(APP)
  const tars = await Promise.all(imageLayers(image).map((layer) => collect(layer.open())))
  return {
    outcome: bench.seen('layer-exported').find(({ layer }) => layer === 'test/node:deps')?.outcome,
    holds: (bytes: string) => tars.some((tar) => tar.includes(bytes)),
  }
}

/** Other bytes, as many as there were, the time of change put back. */
function rewriteUnseen(file: string): void {
  const { atime, mtime } = lstatSync(file)
  writeFileSync(file, readFileSync(file, 'utf8').toUpperCase())
  utimesSync(file, atime, mtime)
}

/** Makes the record claim that a directory as it is now is what the last export made its layer of. */
async function lie({ cache, root }: Bench, path = DEPS): Promise<void> {
  const record = recordOf(cache, path)
  const state = await settledState(root, path)
  if (record === undefined || state === undefined) throw new Error(`nothing is known of ${path}`)
  cache.records?.write(new Map([[path, { ...record, state }]]))
}

describe('export', () => {
  it('reads no layer that is known and untouched', async () => {
    const { bench, first, file } = await built()
    rewriteUnseen(file)
    await lie(bench)
    const { outcome, holds } = await exportAgain(bench, first)
    // The lie shows that the file was not looked into.
    expect([outcome, holds('dependency'), holds('DEPENDENCY')]).toEqual(['reused', true, false])
  })

  it('reads no app that is known and untouched', async () => {
    const { bench, first, source } = await built()
    rewriteUnseen(source)
    await lie(bench, APP_DIR)
    const { holds } = await exportAgain(bench, first)
    expect([holds('listen()'), holds('LISTEN()')]).toEqual([true, false])
  })

  it.each([
    ['a file rewritten with the same size and time', rewriteUnseen],
    ['a file beside it', (source: string) => writeFileSync(`${source}.map`, 'LISTEN()')],
  ] as const)('sees %s in the app', async (_, change) => {
    const { bench, first, source } = await built()
    change(source)
    expect((await exportAgain(bench, first)).holds('LISTEN()')).toBe(true)
  })

  it('takes nothing that is known for a slice of the app', async () => {
    const { bench, first } = await built()
    bench.write({ '/layers/config/metadata.toml': '[[slices]]\npaths = ["server.js"]\n' })
    await exportAgain(bench, first)
    expect(bench.seen('layer-exported').filter(({ kind }) => kind === 'app')).toHaveLength(2)
    expect(recordOf(bench.cache, APP_DIR)).toBeUndefined()
  })

  it('reads it all the same where it is to verify, and knows better then', async () => {
    const { bench, first, file } = await built()
    rewriteUnseen(file)
    await lie(bench)
    const { outcome, holds } = await exportAgain(bench, first, { verify: true })
    expect([outcome, holds('DEPENDENCY')]).toEqual(['added', true])
    expect(recordOf(bench.cache)?.diffId).not.toBe(
      first.metadata.buildpacks[0]?.layers.get('deps' as never)?.sha,
    )
    expect(isKnown(bench)).toBe(true)
  })

  it('sees a file rewritten with the same size and time', async () => {
    const { bench, first, file } = await built()
    rewriteUnseen(file)
    const { outcome, holds } = await exportAgain(bench, first)
    expect([outcome, holds('DEPENDENCY')]).toEqual(['added', true])
  })

  it('reads a layer that is to belong to another user', async () => {
    const { bench, first } = await built()
    expect((await exportAgain(bench, first, { owner: { uid: 7, gid: 7 } })).outcome).toBe('added')
  })

  it.each(['', '{}', '{"format":1,"layers":{"/layers/test_node/deps":{}}}', '{"format":1,"layers":{"x":1}}'])(
    'takes a broken record for none: %j',
    async (text) => {
      const { bench, first } = await built()
      const path = join(bench.directory, 'cache/committed/io.buildpacks.slipway.cache.layers.json')
      writeFileSync(path, text)
      expect((await exportAgain(bench, first)).outcome).toBe('reused')
      expect(isKnown(bench)).toBe(true)
    },
  )

  it('makes the layer where it is known but in neither image nor cache any more', async () => {
    const { bench, first } = await built()
    const store = bench.store('registry.example')
    for (const { digest } of first.image.manifest.layers.slice(2)) store.blobs.delete(digest)
    await bench.cache.discard(recordOf(bench.cache)?.diffId as never)
    const { outcome, holds } = await exportAgain(bench, first)
    expect([outcome, holds('dependency')]).toEqual(['added', true])
    expect(bench.seen('cache-layer')).toMatchObject([{ outcome: 'added' }])
  })
})

describe('restore', () => {
  it('leaves a layer that stands there untouched', async () => {
    const { bench, file } = await built()
    const second = await build(bench, { build: () => bench.write(TOML) })
    const { ino } = lstatSync(file)
    await restoreAgain(bench, second)
    expect(bench.seen('layer-restored')).toMatchObject([{ bytes: 0 }])
    expect(lstatSync(file).ino).toBe(ino)
    expect(isKnown(bench)).toBe(true)
  })

  it.each([
    ['was touched', {}, rewriteUnseen],
    ['is to be verified', { verify: true }, () => {}],
  ] as const)('unpacks a layer that %s, and then knows it again', async (_, inputs, change) => {
    const { bench, file } = await built()
    const second = await build(bench, { build: () => bench.write(TOML) })
    change(file)
    await restoreAgain(bench, second, inputs)
    expect(bench.seen('layer-restored')).toMatchObject([{ bytes: 'dependency'.length }])
    expect(readFileSync(file, 'utf8')).toBe('dependency')
    expect(isKnown(bench)).toBe(true)
  })

  it('claims nothing of a layer that no export of this lifecycle has read', async () => {
    const { bench } = await built()
    const second = await build(bench, { build: () => bench.write(TOML) })
    bench.cache.records?.write(new Map())
    await restoreAgain(bench, second)
    expect(recordOf(bench.cache)).toBeUndefined()
  })
})
