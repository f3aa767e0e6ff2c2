import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Root } from '../../../core/root.ts'
import { byByteOrder } from '../../../spec/byte-order.ts'
import type { GroupElement } from '../../../spec/files/group.ts'
import { type LayerContent, NO_TYPES, parseLayerContent } from '../../../spec/files/layer.ts'
import { parseStore, type Store } from '../../../spec/files/store.ts'
import { escapeId, type LayerName, nameOfFile, parseLayerName } from '../../../spec/names.ts'
import { readBuildFile } from './build-file.ts'

/** What a buildpack left in `<layers>/<buildpack>`. */
export interface BuildpackDirectory {
  readonly path: ContainerPath
  /** By name. */
  readonly layers: readonly FoundLayer[]
  readonly store?: Store
}

export interface FoundLayer {
  readonly name: LayerName
  /** `buildpack:layer`, as logs name it. */
  readonly id: string
  readonly path: ContainerPath
  /** Of its `<layer>.toml`, whether there is one or not. */
  readonly tomlPath: ContainerPath
  readonly hasContents: boolean
  /** Its `<layer>.toml`, without types where there is none; the error where it cannot be read. */
  readonly content: LayerContent | SlipwayError
}

/** Files and directories of a buildpack that are no layers. */
const NOT_LAYERS = new Set(['build', 'launch', 'store'])

/**
 * Reads the layers of one buildpack: every directory and every `<layer>.toml` is one (cnb-spec §4.6).
 * @throws SlipwayError for a store.toml that cannot be read.
 */
export function readBuildpackDirectory(
  root: Root,
  layersDir: ContainerPath,
  buildpack: Pick<GroupElement, 'id'>,
): BuildpackDirectory {
  const path = joinPath(layersDir, escapeId(buildpack.id))
  const fileNames = new Set<string>()
  for (const entry of root.list(path)) {
    if (entry.isDirectory()) fileNames.add(entry.name)
    else if (entry.name.endsWith('.toml')) fileNames.add(entry.name.slice(0, -'.toml'.length))
  }
  const layers = [...fileNames]
    .filter((fileName) => fileName !== '' && !NOT_LAYERS.has(fileName))
    .map((fileName) => readLayer(root, path, buildpack.id, fileName))
    .sort((a, b) => byByteOrder(a.name, b.name))
  const storePath = joinPath(path, 'store.toml')
  const store = readBuildFile(root, storePath)
  return { path, layers, ...(store === undefined ? {} : { store: parseStore(store, { file: storePath }) }) }
}

function readLayer(root: Root, directory: ContainerPath, id: string, fileName: string): FoundLayer {
  const name = parseLayerName(nameOfFile(fileName))
  const path = joinPath(directory, fileName)
  const tomlPath = joinPath(directory, `${fileName}.toml`)
  return {
    name,
    id: `${id}:${name}`,
    path,
    tomlPath,
    hasContents: root.lstat(path) !== undefined,
    content: readContent(root, tomlPath),
  }
}

function readContent(root: Root, path: ContainerPath): LayerContent | SlipwayError {
  try {
    const text = readBuildFile(root, path)
    return text === undefined ? NO_TYPES : parseLayerContent(text, { file: path })
  } catch (error) {
    if (error instanceof SlipwayError) return error
    throw error
  }
}
