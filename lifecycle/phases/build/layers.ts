import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Root } from '../../../core/root.ts'
import { type LayerTypes, parseLayerContent } from '../../../spec/files/layer.ts'
import { type LayerName, nameOfFile, parseLayerName } from '../../../spec/names.ts'

/** A layer that a buildpack has described. Its directory may be missing. */
export interface BuiltLayer {
  readonly name: LayerName
  readonly path: ContainerPath
  readonly types: LayerTypes
}

const SUFFIX = '.toml'
/** Other files of a buildpack's layers directory that end alike. */
const NOT_LAYERS = new Set(['build', 'launch', 'store'])
const MAX_TOML_BYTES = 16 << 20

/**
 * Reads every `<layer>.toml`, in the order of the names, and sets the directories of layers that are for nothing aside
 * as `<layer>.ignore` (cnb-spec BU-5 to BU-7).
 * @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID`, `BUILD_FILE_UNUSABLE`
 */
export function settleLayers(root: Root, directory: ContainerPath): readonly BuiltLayer[] {
  const layers = root
    .list(directory)
    .filter((entry) => entry.name.endsWith(SUFFIX) && !entry.isDirectory())
    .map((entry) => entry.name.slice(0, -SUFFIX.length))
    .filter((fileName) => !NOT_LAYERS.has(fileName))
    .map((fileName) => readLayer(root, directory, fileName))
  for (const { path, types } of layers) {
    if (types.launch || types.build || types.cache || root.lstat(path) === undefined) continue
    const aside = `${path}.ignore` as ContainerPath
    root.remove(aside)
    root.rename(path, aside)
  }
  return layers
}

function readLayer(root: Root, directory: ContainerPath, fileName: string): BuiltLayer {
  const text = readSmallText(root, joinPath(directory, fileName + SUFFIX)) ?? ''
  const file = nameOfFile(joinPath(directory, fileName + SUFFIX))
  return {
    name: parseLayerName(nameOfFile(fileName)),
    path: joinPath(directory, fileName),
    types: parseLayerContent(text, { file, class: 'buildpack' }),
  }
}

/**
 * The text of a file that a buildpack wrote, or undefined where there is none.
 * @throws SlipwayError `BUILD_FILE_UNUSABLE` for what is no file or too large to be a description.
 */
export function readSmallText(root: Root, path: ContainerPath): string | undefined {
  const state = root.stat(path)
  if (state === undefined) return undefined
  if (state.isFile() && state.size <= MAX_TOML_BYTES) return root.readText(path)
  const why = state.isFile() ? `larger than ${MAX_TOML_BYTES} bytes` : 'not a file'
  throw new SlipwayError('BUILD_FILE_UNUSABLE', `${nameOfFile(path)} is ${why}`, {
    subject: nameOfFile(path),
    class: 'buildpack',
  })
}
