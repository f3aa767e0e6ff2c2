import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { systemCode } from '../../core/error.ts'
import { type LayerTypes, parseLayerContent, writeLayerContent } from '../../spec/files/layer.ts'
import { parseLayerName } from '../../spec/names.ts'
import { isTable, type TomlTable } from '../../spec/toml/value.ts'
import {
  type EnvironmentChanges,
  type EnvironmentScope,
  environmentDirectory,
  writeEnvironment,
} from './layer-environment.ts'
import { type CycloneDx, writeCycloneDx } from './sbom.ts'

/** What a layer is made from. Two builds with equal keys want equal contents; it is kept as the layer's metadata. */
export type LayerKey = Readonly<Record<string, string>>

/** One layer of this buildpack (cnb-spec §4.4, §4.6). */
export interface Layer {
  readonly name: string
  readonly path: string
  /** Metadata of the last build, where the platform kept it. */
  readonly previous: TomlTable | undefined
  /** Whether its contents came back from the cache. */
  readonly isRestored: boolean
  /** Whether the metadata that came back equals a key. */
  matches(key: LayerKey): boolean
  /** Leaves an empty directory. */
  clear(): Promise<void>
  /** Takes the directory away: with launch as its only type, the previous image's layer is used as it is. */
  removeContents(): Promise<void>
  environment(scope: EnvironmentScope, changes: EnvironmentChanges): Promise<void>
  sbom(bom: CycloneDx): Promise<void>
  /** Writes `<layer>.toml`. Without it the layer does not count. */
  save(types: Partial<LayerTypes>, key: LayerKey): Promise<void>
}

export interface LayerPlan {
  readonly types: Partial<LayerTypes>
  readonly key: LayerKey
  /** Fills the layer's directory, which is empty. */
  readonly create: (layer: Layer) => Promise<void>
}

export type LayerOutcome =
  /** Its contents came back from the cache. */
  | 'kept'
  /** Its contents stay in the previous image and are not here. */
  | 'reused'
  | 'created'

export interface Layers {
  /** The buildpack's own directory below the layers root. */
  readonly path: string
  get(name: string): Promise<Layer>
  /**
   * The layer with the wanted contents: as it came back where its key is the same, else made anew. A layer that is only
   * for launch is reused without being here.
   */
  provide(name: string, plan: LayerPlan): Promise<{ readonly layer: Layer; readonly outcome: LayerOutcome }>
}

export function layersIn(path: string): Layers {
  const layers: Layers = {
    path,
    get: (name) => readLayer(path, parseLayerName(name)),
    async provide(name, { types, key, create }) {
      const layer = await layers.get(name)
      const outcome = outcomeOf(layer, types, key)
      if (outcome === 'created') {
        await layer.clear()
        try {
          await create(layer)
        } catch (error) {
          await rm(layer.path, { recursive: true, force: true })
          await rm(`${layer.path}.toml`, { force: true })
          throw error
        }
      }
      await layer.save(types, key)
      return { layer, outcome }
    },
  }
  return layers
}

function outcomeOf(layer: Layer, types: Partial<LayerTypes>, key: LayerKey): LayerOutcome {
  if (!layer.matches(key)) return 'created'
  if (layer.isRestored) return 'kept'
  return types.launch === true && types.build !== true && types.cache !== true ? 'reused' : 'created'
}

async function readLayer(root: string, name: string): Promise<Layer> {
  const path = join(root, name)
  const previous = await readMetadata(`${path}.toml`)
  const isRestored = previous !== undefined && (await isDirectory(path))
  return {
    name,
    path,
    previous,
    isRestored,
    matches: (key) => previous !== undefined && equals(previous, key),
    async clear() {
      await rm(path, { recursive: true, force: true })
      await mkdir(path, { recursive: true })
    },
    removeContents: () => rm(path, { recursive: true, force: true }),
    environment: (scope, changes) => writeEnvironment(environmentDirectory(path, scope), changes),
    sbom: (bom) => writeFile(join(root, `${name}.sbom.cdx.json`), writeCycloneDx(bom)),
    async save({ launch = false, build = false, cache = false }, metadata) {
      const text = writeLayerContent({ launch, build, cache, metadata })
      writeFileAtomically(Buffer.from(`${path}.toml`).toString('latin1'), text)
    },
  }
}

async function readMetadata(file: string): Promise<TomlTable | undefined> {
  try {
    const { metadata } = parseLayerContent(await readFile(file, 'utf8'), { file, class: 'infrastructure' })
    return isTable(metadata) ? metadata : undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

function equals(table: TomlTable, key: LayerKey): boolean {
  const names = Object.keys(key)
  return Object.keys(table).length === names.length && names.every((name) => table[name] === key[name])
}
