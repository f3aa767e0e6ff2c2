import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { containerPath } from '../../../../core/container-path.ts'
import { type Event, eventStream } from '../../../../core/event.ts'
import { mountedRoot, type Root } from '../../../../core/root.ts'
import type { Image, ImageConfig } from '../../../../oci/image.ts'
import { imageLayers, readImage } from '../../../../oci/read-image.ts'
import { identifier, parseReference, repositoryName } from '../../../../oci/reference.ts'
import type { TarEntry } from '../../../../oci/tar/header.ts'
import { readTar } from '../../../../oci/tar/reader.ts'
import {
  type MemoryStore,
  memoryRepository,
  memoryStore,
  randomImage,
} from '../../../../oci/testing/index.ts'
import type { MediaTypes } from '../../../../oci/write-image.ts'
import { parseApiVersion } from '../../../../spec/api-version.ts'
import type { Analyzed } from '../../../../spec/files/analyzed.ts'
import type { Group } from '../../../../spec/files/group.ts'
import type { Report } from '../../../../spec/files/report.ts'
import { type LifecycleMetadata, parseLifecycleMetadata } from '../../../../spec/labels/lifecycle-metadata.ts'
import { parseBuildpackId } from '../../../../spec/names.ts'
import type { Cache } from '../../../cache/cache.ts'
import { cacheDirectory } from '../../../cache/directory.ts'
import type { ImageAccess, PhaseContext } from '../../../context.ts'
import { type AnalyzeInputs, analyze } from '../../analyze.ts'
import { type ExportInputs, exportImage } from '../../export.ts'
import { restore } from '../../restore.ts'

/** A place to run analyze, restore and export in, for tests: real directories, registries in memory. */
export interface Workbench {
  /** Of this machine; `/layers` and `/workspace` stand in it. */
  readonly directory: string
  readonly root: Root
  readonly images: ImageAccess
  readonly events: Event[]
  readonly cache: Cache
  context(platformApi?: string): PhaseContext & { readonly images: ImageAccess; readonly cache: Cache }
  /** What a registry holds. */
  store(registry: string): MemoryStore
  /** Writes files by container path; a value that begins with `-> ` is a link, a path that ends in `/` a directory. */
  write(files: Readonly<Record<string, string>>): void
  /** Makes a run image. */
  runImage(
    name?: string,
    options?: { readonly config?: ImageConfig['config']; readonly mediaTypes?: MediaTypes },
  ): Promise<Image>
  image(name: string): Promise<Image>
  /** Events of one type, in order. */
  seen<T extends Event['type']>(type: T): Extract<Event, { type: T }>[]
}

export const RUN_IMAGE = 'registry.example/base:run'
export const APP = 'registry.example/team/app'
export const OWNER = { uid: 1001, gid: 1002 }

export function workbench(): Workbench {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-phase-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'cache'))
  const root = mountedRoot(join(directory, 'root'), [])
  const stores = new Map<string, MemoryStore>()
  const store = (registry: string) => {
    const found = stores.get(registry) ?? memoryStore()
    stores.set(registry, found)
    return found
  }
  const images: ImageAccess = {
    repository: (reference) => memoryRepository(repositoryName(reference), store(reference.registry)),
  }
  const events: Event[] = []
  const emit = eventStream((event) => void events.push(event))
  const cache = cacheDirectory(join(directory, 'cache'))
  const bench: Workbench = {
    directory,
    root,
    images,
    events,
    cache,
    store,
    context: (platformApi = '0.15') => ({
      root,
      emit,
      images,
      cache,
      platformApi: parseApiVersion(platformApi),
    }),
    write(files) {
      for (const [path, content] of Object.entries(files)) writeOne(join(directory, 'root', path), content)
    },
    runImage: (name = RUN_IMAGE, options = {}) => {
      const reference = parseReference(name)
      return randomImage({
        repository: images.repository(reference),
        tags: [reference.tag ?? 'latest'],
        config: BASE_CONFIG,
        ...options,
      })
    },
    async image(name) {
      const reference = parseReference(name)
      const found = await readImage(images.repository(reference), identifier(reference))
      if (found === undefined) throw new Error(`no image ${name}`)
      return found
    },
    seen: (type) => events.filter((event) => event.type === type) as never,
  }
  return bench
}

const BASE_CONFIG: ImageConfig['config'] = {
  User: '1001:1002',
  Env: ['PATH=/usr/bin:/bin', 'LANG=C.UTF-8'],
  Cmd: ['/bin/bash'],
  Labels: {
    'io.buildpacks.base.id': 'test.base',
    'io.buildpacks.base.distro.name': 'debian',
    'io.buildpacks.base.distro.version': '13',
  },
}

function writeOne(path: string, content: string): void {
  if (path.endsWith('/')) {
    mkdirSync(path, { recursive: true })
    return
  }
  mkdirSync(dirname(path), { recursive: true })
  if (content.startsWith('-> ')) symlinkSync(content.slice('-> '.length), path)
  else writeFileSync(path, content)
  if (content.startsWith('#!')) chmodSync(path, 0o755)
}

export function groupOf(...ids: readonly string[]): Group {
  return {
    group: ids.map((id) => ({ id: parseBuildpackId(id), version: '1.2.3', api: '0.12', homepage: '' })),
    groupExtensions: [],
  }
}

export const LAUNCHER: ExportInputs['launcher'] = {
  program: Buffer.from('the launcher'),
  metadata: { version: '9.9.9', source: { git: { repository: 'git.example/slipway', commit: 'abc' } } },
}

export const RUN = { images: [{ image: RUN_IMAGE, mirrors: ['mirror.example/base:run'] }] }

/** A layer for the image and the cache. */
export const CACHED_LAYER = {
  '/layers/test_node/deps/file': 'dependency',
  '/layers/test_node/deps.toml': '[types]\nlaunch = true\ncache = true\n',
}

export interface BuildOptions {
  readonly platformApi?: string
  readonly analyze?: Partial<AnalyzeInputs>
  readonly export?: Partial<ExportInputs>
  readonly group?: Group
  /** What the buildpacks do. */
  readonly build: () => void
  /** Default: the bench's own. */
  readonly cache?: Cache
  readonly withoutCache?: boolean
}

export interface Built {
  readonly analyzed: Analyzed
  readonly report: Report
  readonly image: Image
  readonly metadata: LifecycleMetadata
}

/** A whole build in an empty layers directory; events of builds before are forgotten. */
export async function build(bench: Workbench, options: BuildOptions): Promise<Built> {
  const { cache, ...context } = bench.context(options.platformApi)
  const withCache = options.withoutCache === true ? context : { ...context, cache: options.cache ?? cache }
  const group = options.group ?? groupOf('test/node')
  const directories = { layersDir: containerPath('/layers'), appDir: containerPath('/workspace') }
  bench.root.remove(containerPath('/layers'))
  bench.root.mkdir(containerPath('/layers/config'))
  bench.events.length = 0
  const analyzed = await analyze({ image: APP, run: RUN, ...directories, ...options.analyze }, context)
  const restored = await restore({ analyzed, group, run: RUN, ...directories }, withCache)
  bench.write({ '/layers/config/metadata.toml': METADATA })
  options.build()
  const report = await exportImage(
    {
      images: [APP],
      analyzed: restored.analyzed ?? analyzed,
      group,
      run: RUN,
      ...directories,
      owner: OWNER,
      launcher: LAUNCHER,
      ...options.export,
    },
    withCache,
  )
  const image = await bench.image(options.export?.images?.[0] ?? APP)
  return { analyzed, report, image, metadata: metadataOf(image) }
}

export const METADATA = `buildpack-default-process-type = "web"

[[buildpacks]]
id = "test/node"
version = "1.2.3"
api = "0.12"

[[processes]]
type = "web"
command = ["node"]
args = ["server.js"]
direct = true
buildpack-id = "test/node"
`

export function metadataOf(image: Image): LifecycleMetadata {
  const label = image.config.config?.Labels?.['io.buildpacks.lifecycle.metadata'] ?? '{}'
  return parseLifecycleMetadata(label, { file: 'label' })
}

/** The entries of an image's layers above its base, each as `type mode uid:gid name`. */
export async function layerEntries(image: Image, below: number): Promise<string[][]> {
  const layers = imageLayers(image).slice(below)
  return Promise.all(
    layers.map(async (layer) => {
      const entries: string[] = []
      const entry = (found: TarEntry) => void entries.push(describe(found))
      await readTar(layer.open(), { entry, data() {}, end() {} })
      return entries
    }),
  )
}

function describe(entry: TarEntry): string {
  const target = 'linkname' in entry ? ` -> ${entry.linkname}` : ''
  return `${entry.type} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${entry.name}${target}`
}
