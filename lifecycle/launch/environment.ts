import {
  LAUNCH_ENV_EXCLUDED,
  LAUNCH_LAYER_PATHS,
  LIFECYCLE_DIR,
  PROCESS_DIR,
} from '../../spec/environment.ts'
import { applyEnvDirectory, type EnvFile, type Environment } from '../environment/variables.ts'
import { entriesOf, fileAt, type LaunchFiles } from './files.ts'
import { launchError } from './process.ts'

/** LE-1: what of the container's environment the process sees. Of a variable that is there twice the first one counts. */
export function containerEnvironment(entries: readonly string[]): Environment {
  const variables = new Map<string, string>()
  for (const entry of entries) {
    const end = entry.indexOf('=')
    const name = entry.slice(0, end)
    if (end === -1 || LAUNCH_ENV_EXCLUDED.has(name) || variables.has(name)) continue
    const value = entry.slice(end + 1)
    variables.set(name, name === 'PATH' ? withoutLauncher(value) : value)
  }
  return variables
}

function withoutLauncher(path: string): string {
  return path
    .split(':')
    .filter((part) => part !== PROCESS_DIR && part !== LIFECYCLE_DIR)
    .join(':')
}

/**
 * LE-2: what the layers of one buildpack change, first the directories of all, then the env files of all.
 * @param type of the process; empty for a command of the user, which has no variables of its own
 */
export function applyLaunchLayers(
  before: Environment,
  layers: readonly string[],
  type: string,
  files: LaunchFiles,
): Environment {
  const withDirectories = layers.reduce((at, layer) => applyLayerDirectories(at, layer, files), before)
  return layers.reduce(
    (at, layer) =>
      envDirectories(layer, type).reduce(
        (inner, directory) => applyEnvDirectory(inner, readEnvFiles(directory, files), 'override'),
        at,
      ),
    withDirectories,
  )
}

function envDirectories(layer: string, type: string): readonly string[] {
  const all = [`${layer}/env`, `${layer}/env.launch`]
  return type === '' ? all : [...all, `${layer}/env.launch/${type}`]
}

function applyLayerDirectories(before: Environment, layer: string, files: LaunchFiles): Environment {
  const after = new Map(before)
  for (const [directory, names] of LAUNCH_LAYER_PATHS) {
    const path = `${layer}/${directory}`
    // The reference looks whether the name exists, not at what it is.
    if (fileAt(files, path) === undefined) continue
    for (const name of names) {
      const old = after.get(name) ?? ''
      after.set(name, old === '' ? path : `${path}:${old}`)
    }
  }
  return after
}

/** Directories and links to them are left out; a link that leads nowhere is an error. */
function readEnvFiles(directory: string, files: LaunchFiles): readonly EnvFile[] {
  const found: EnvFile[] = []
  for (const { name, path } of entriesOf(files, directory)) {
    const file = fileAt(files, path)
    if (file === undefined) throw launchError('LAUNCH_ENV_UNREADABLE', `cannot read ${path}`, path)
    if (file.kind === 'directory') continue
    if (file.content.includes('\0')) {
      throw launchError('LAUNCH_ENV_UNREADABLE', `${path} holds a NUL byte`, path)
    }
    found.push({ name, value: file.content })
  }
  return found
}

/** LE-4, LE-5: the files of `<layer>/<folder>`, then those of `<layer>/<folder>/<type>`, layer after layer. */
export function layerFiles(
  layers: readonly string[],
  folder: 'exec.d' | 'profile.d',
  type: string,
  files: LaunchFiles,
): readonly string[] {
  return layers.flatMap((layer) => {
    const directory = `${layer}/${folder}`
    const own = type === '' ? [] : entriesOf(files, `${directory}/${type}`)
    return [...entriesOf(files, directory), ...own]
      .filter(({ isDirectory }) => !isDirectory)
      .map(({ path }) => path)
  })
}
