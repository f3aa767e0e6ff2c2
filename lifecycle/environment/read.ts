import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Root } from '../../core/root.ts'
import { BUILD_LAYER_PATHS } from '../../spec/environment.ts'
import { nameOfFile } from '../../spec/names.ts'
import type { EnvFile, LayerEnvironment } from './variables.ts'

/** Linux takes no longer variable (MAX_ARG_STRLEN); a bigger file could only fail later and less clearly. */
const MAX_BYTES = 128 * 1024

/**
 * The files of an env directory sorted by the bytes of their names; none where there is no such directory.
 * Directories are left out, links to files are followed inside the root.
 * @throws SlipwayError `BUILD_ENV_UNREADABLE`
 */
export function readEnvDirectory(root: Root, directory: ContainerPath): EnvFile[] {
  const files: EnvFile[] = []
  for (const entry of listed(root, directory)) {
    const path = joinPath(directory, entry.name)
    const state = attempt(path, () => root.stat(path))
    if (state?.isDirectory()) continue
    if (!state?.isFile()) throw unreadable(path, 'it is not a file')
    if (state.size > MAX_BYTES) throw unreadable(path, `it is larger than ${MAX_BYTES} bytes`)
    const value = attempt(path, () => root.readText(path)) ?? ''
    if (value.includes('\0')) throw unreadable(path, 'its value holds a NUL byte')
    files.push({ name: nameOfFile(entry.name), value })
  }
  return files
}

/** What a layer contributes to the environment of later buildpacks. */
export function readLayerEnvironment(root: Root, layer: ContainerPath): LayerEnvironment {
  return {
    path: layer,
    directories: BUILD_LAYER_PATHS.map(([name]) => name).filter((name) =>
      root.stat(joinPath(layer, name))?.isDirectory(),
    ),
    env: readEnvDirectory(root, joinPath(layer, 'env')),
    envBuild: readEnvDirectory(root, joinPath(layer, 'env.build')),
  }
}

function listed(root: Root, directory: ContainerPath) {
  return attempt(directory, () => root.list(directory))
}

function attempt<T>(path: ContainerPath, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw unreadable(path, errorChain(error), error)
  }
}

function unreadable(path: ContainerPath, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('BUILD_ENV_UNREADABLE', `cannot use the variable in ${nameOfFile(path)}: ${why}`, {
    subject: nameOfFile(path),
    class: 'buildpack',
    cause,
  })
}
