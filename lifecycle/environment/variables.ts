import type { ContainerPath } from '../../core/container-path.ts'
import { BUILD_ENV_ALLOWED, BUILD_LAYER_PATHS, BUILD_PATH_VARIABLES } from '../../spec/environment.ts'
import { nameOfFile } from '../../spec/names.ts'

/**
 * The environment rules of the buildpack spec (§Environment) as pure functions: a map of variables goes in, a new one
 * comes out. What the files hold is read in read.ts.
 */
export type Environment = ReadonlyMap<string, string>

/** One file of an env directory: its whole name, and its content as it is. */
export interface EnvFile {
  readonly name: string
  readonly value: string
}

/** What a layer that later buildpacks see contributes. */
export interface LayerEnvironment {
  readonly path: ContainerPath
  /** Which of the directories of {@link BUILD_LAYER_PATHS} the layer has. */
  readonly directories: readonly string[]
  readonly env: readonly EnvFile[]
  readonly envBuild: readonly EnvFile[]
}

/** What of the build image's environment reaches a buildpack: an allow-list, so that no credential does. */
export function allowedEnvironment(base: Readonly<Record<string, string>>): Environment {
  return new Map(
    Object.entries(base).filter(([name]) => BUILD_ENV_ALLOWED.has(name) || BUILD_PATH_VARIABLES.has(name)),
  )
}

/**
 * Applies one env directory in the order of its files' names. The name up to the first dot is the variable, the rest
 * the action; a file without one means `bare` (layers: override; build-config: default). Unknown actions do nothing.
 */
export function applyEnvDirectory(
  before: Environment,
  files: readonly EnvFile[],
  bare: 'override' | 'default',
): Environment {
  const after = new Map(before)
  const delimiters = new Map(
    files.filter(({ name }) => name.endsWith('.delim')).map(({ name, value }) => [name, value]),
  )
  for (const { name: fileName, value } of files) {
    const dot = fileName.indexOf('.')
    const name = dot < 0 ? fileName : fileName.slice(0, dot)
    if (name === '') continue
    const old = after.get(name) ?? ''
    const delimiter = delimiters.get(`${name}.delim`)
    switch (dot < 0 ? bare : fileName.slice(dot + 1)) {
      case 'override':
        after.set(name, value)
        break
      case 'default':
        if (old === '') after.set(name, value)
        break
      case 'append':
        after.set(name, joined(old, delimiter ?? '', value))
        break
      case 'prepend':
        after.set(name, joined(value, delimiter ?? '', old, old))
        break
      // `NAME.`: the reference treats the empty action as "in front, as in a path list".
      case '':
        after.set(name, joined(value, delimiter ?? ':', old, old))
        break
    }
  }
  return after
}

/** Both parts with the delimiter between; without it where the value that was there before is empty. */
function joined(left: string, delimiter: string, right: string, old = left): string {
  return old === '' ? left + right : left + delimiter + right
}

/** Puts the directories of a layer in front of the path lists they belong to. */
export function applyDirectories(
  before: Environment,
  layer: ContainerPath,
  directories: readonly string[],
): Environment {
  const after = new Map(before)
  for (const [directory, names] of BUILD_LAYER_PATHS) {
    for (const name of directories.includes(directory) ? names : []) {
      const old = after.get(name) ?? ''
      after.set(name, joined(`${nameOfFile(layer)}/${directory}`, ':', old, old))
    }
  }
  return after
}

/** What a build layer changes for the buildpacks after its own: directories, `env/`, `env.build/`. */
export function applyLayer(before: Environment, layer: LayerEnvironment): Environment {
  const withDirectories = applyDirectories(before, layer.path, layer.directories)
  return applyEnvDirectory(
    applyEnvDirectory(withDirectories, layer.env, 'override'),
    layer.envBuild,
    'override',
  )
}

/** The user's variables (`<platform>/env`): names have no actions; path lists are extended in front, others replaced. */
export function applyPlatformEnvironment(before: Environment, files: readonly EnvFile[]): Environment {
  const after = new Map(before)
  for (const { name, value } of files) {
    const old = BUILD_PATH_VARIABLES.has(name) ? (after.get(name) ?? '') : ''
    after.set(name, joined(value, ':', old, old))
  }
  return after
}

/**
 * The whole environment of one bin/detect or bin/build: what earlier buildpacks left, the user's variables unless the
 * buildpack asks for a clear environment, the operator's, then what the spec names for this program.
 */
export function programEnvironment(parts: {
  readonly cumulative: Environment
  /** Files of `<platform>/env`. */
  readonly user: readonly EnvFile[]
  /** Files of `<build-config>/env`. */
  readonly operator: readonly EnvFile[]
  readonly clearEnv: boolean
  readonly specified: Readonly<Record<string, string>>
}): Record<string, string> {
  const withUser = parts.clearEnv ? parts.cumulative : applyPlatformEnvironment(parts.cumulative, parts.user)
  const withOperator = applyEnvDirectory(withUser, parts.operator, 'default')
  return Object.fromEntries([...withOperator, ...Object.entries(parts.specified)])
}
