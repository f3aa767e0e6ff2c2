import { resolve } from 'node:path'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { DEFAULT_EXEC_ENV, ENV, LAUNCHER_PATH, LIFECYCLE_DIR, parseBoolean } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { fileNameOf } from '../../spec/names.ts'
import { parseGoDuration } from '../log/go-duration.ts'
import type { FlagDefinition, FlagValue } from './flags.ts'

/** What commands are told by flags, the environment and defaults, in this order (cnb-spec §2). Paths are as written. */
export interface Inputs {
  readonly analyzedPath: string
  readonly appDir: string
  readonly buildConfigDir: string
  readonly buildImage: string
  readonly buildpacksDir: string
  /** Milliseconds for one bin/build; 0: for ever. */
  readonly buildTimeout: number
  readonly cacheDir: string
  readonly cacheImage: string
  readonly daemon: boolean
  /** `-image`, long gone. */
  readonly deprecatedRunImage: string
  /** How many bin/detect run at once; 0: as many as there are cores. */
  readonly detectConcurrency: number
  /** Milliseconds for one bin/detect; 0: for ever. */
  readonly detectTimeout: number
  readonly execEnv: string
  readonly experimentalMode: string
  readonly extendedDir: string
  /** `build` or `run` */
  readonly extendKind: string
  readonly extensionsDir: string
  readonly forceRebase: boolean
  readonly generatedDir: string
  readonly gid: number
  readonly groupPath: string
  readonly insecureRegistries: readonly string[]
  /** Milliseconds. */
  readonly kanikoCacheTtl: number
  readonly launchCacheDir: string
  readonly launcherPath: string
  readonly launcherSbomDir: string
  readonly layersDir: string
  readonly layout: boolean
  readonly layoutDir: string
  readonly logFormat: string
  readonly logLevel: string
  readonly noColor: boolean
  readonly orderPath: string
  readonly parallel: boolean
  readonly planPath: string
  readonly platformDir: string
  readonly previousImage: string
  readonly processType: string
  readonly projectMetadataPath: string
  readonly reportPath: string
  readonly runImage: string
  readonly runPath: string
  /** Where builds tell each other what they upload; none where empty. */
  readonly sharedDir: string
  readonly skipLayers: boolean
  readonly sourceDateEpoch: string
  readonly stackPath: string
  readonly systemPath: string
  readonly tags: readonly string[]
  readonly uid: number
  /** Reads every layer again, also one that nobody touched. */
  readonly verify: boolean
  readonly version: boolean
}

export type Variables = Readonly<Record<string, string | undefined>>

/** Settings that the Platform API does not have. */
const OWN_ENV = {
  buildTimeout: 'SLIPWAY_BUILD_TIMEOUT',
  detectTimeout: 'SLIPWAY_DETECT_TIMEOUT',
  logFormat: 'SLIPWAY_LOG_FORMAT',
  sharedDir: 'SLIPWAY_SHARED_DIR',
} as const

/** A bin/detect only looks; one that takes this long hangs. */
const DETECT_TIMEOUT = 10 * 60_000
const TWO_WEEKS = 14 * 24 * 60 * 60_000
const LAYERS = '<layers>'

/** The environment and the defaults (C-4); `<layers>` is put in by {@link resolvePaths}. */
export function inputsFromEnvironment(env: Variables): Inputs {
  const text = (name: string, otherwise = '') => env[name] || otherwise
  const flag = (name: string) => parseBoolean(env[name] ?? '') ?? false
  const id = (name: string) => (/^[+-]?\d+$/.test(env[name] ?? '') ? Number(env[name]) : 0)
  const duration = (name: string, otherwise: number) => parseGoDuration(env[name] ?? '') ?? otherwise
  return {
    analyzedPath: text(ENV.analyzedPath, `${LAYERS}/analyzed.toml`),
    appDir: text(ENV.appDir, '/workspace'),
    buildConfigDir: text(ENV.buildConfigDir, '/cnb/build-config'),
    buildImage: text(ENV.buildImage),
    buildpacksDir: text(ENV.buildpacksDir, '/cnb/buildpacks'),
    buildTimeout: duration(OWN_ENV.buildTimeout, 0),
    cacheDir: text(ENV.cacheDir),
    cacheImage: text(ENV.cacheImage),
    daemon: flag(ENV.useDaemon),
    deprecatedRunImage: '',
    detectConcurrency: 0,
    detectTimeout: duration(OWN_ENV.detectTimeout, DETECT_TIMEOUT),
    execEnv: text(ENV.execEnv, DEFAULT_EXEC_ENV),
    experimentalMode: text(ENV.experimentalMode),
    extendKind: text(ENV.extendKind, 'build'),
    extendedDir: text(ENV.extendedDir, `${LAYERS}/extended`),
    extensionsDir: text(ENV.extensionsDir, '/cnb/extensions'),
    forceRebase: flag(ENV.forceRebase),
    generatedDir: text(ENV.generatedDir, `${LAYERS}/generated`),
    gid: id(ENV.groupId),
    groupPath: text(ENV.groupPath, `${LAYERS}/group.toml`),
    insecureRegistries: text(ENV.insecureRegistries)
      .split(',')
      .filter((entry) => entry !== ''),
    kanikoCacheTtl: duration(ENV.kanikoCacheTtl, TWO_WEEKS),
    launchCacheDir: text(ENV.launchCacheDir),
    launcherPath: LAUNCHER_PATH,
    launcherSbomDir: LIFECYCLE_DIR,
    layersDir: text(ENV.layersDir, '/layers'),
    layout: flag(ENV.useLayout),
    layoutDir: text(ENV.layoutDir),
    logFormat: text(OWN_ENV.logFormat, 'text'),
    logLevel: text(ENV.logLevel, 'info'),
    noColor: flag(ENV.noColor),
    orderPath: text(ENV.orderPath, DEFAULT_ORDER),
    parallel: flag(ENV.parallelExport),
    planPath: text(ENV.planPath, `${LAYERS}/plan.toml`),
    platformDir: text(ENV.platformDir, '/platform'),
    previousImage: text(ENV.previousImage),
    processType: text(ENV.processType),
    projectMetadataPath: text(ENV.projectMetadataPath, `${LAYERS}/project-metadata.toml`),
    reportPath: text(ENV.reportPath, `${LAYERS}/report.toml`),
    runImage: text(ENV.runImage),
    runPath: text(ENV.runPath, '/cnb/run.toml'),
    sharedDir: text(OWN_ENV.sharedDir),
    skipLayers: flag(ENV.skipLayers) || flag(ENV.skipRestore),
    sourceDateEpoch: text(ENV.sourceDateEpoch),
    stackPath: text(ENV.stackPath, '/cnb/stack.toml'),
    systemPath: text(ENV.systemPath, '/cnb/system.toml'),
    tags: [],
    uid: id(ENV.userId),
    verify: false,
    version: false,
  }
}

/**
 * The Platform API passes over a variable that it cannot read. One of our own that means nothing is a mistake that would
 * let a build hang for ever.
 * @throws SlipwayError `LIFECYCLE_DURATION_INVALID` (exit 3)
 */
export function checkDurations(env: Variables): void {
  for (const name of [OWN_ENV.buildTimeout, OWN_ENV.detectTimeout]) {
    const text = env[name] ?? ''
    if (text === '' || (parseGoDuration(text) ?? -1) >= 0) continue
    throw new SlipwayError('LIFECYCLE_DURATION_INVALID', `${name} is no duration: ${JSON.stringify(text)}`, {
      subject: name,
      hint: 'Durations are written as in 90s, 5m or 1h30m; 0 is for ever.',
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    })
  }
}

const DEFAULT_ORDER = `${LAYERS}/order.toml`

/**
 * Puts the layers directory into the defaults that stand in it, takes `/cnb/order.toml` where it has no order.toml
 * (C-5, C-6), and makes what is given relative absolute.
 */
export function resolvePaths(inputs: Inputs, exists: (path: ContainerPath) => boolean): Inputs {
  const resolved = Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [
      key,
      typeof value === 'string' ? inLayers(value, inputs.layersDir) : value,
    ]),
  ) as unknown as Inputs
  const hasOrder = inputs.orderPath !== DEFAULT_ORDER || exists(pathOf(resolved.orderPath))
  return hasOrder ? resolved : { ...resolved, orderPath: '/cnb/order.toml' }
}

/** An empty layers directory is the working directory, which Tekton's task relies on. */
function inLayers(text: string, layersDir: string): string {
  return layersDir === '' ? text.replace(`${LAYERS}/`, '') : text.replace(LAYERS, () => layersDir)
}

/** An input as a path: relative ones count from the working directory. */
export function pathOf(text: string): ContainerPath {
  return containerPath(fileNameOf(resolve(text)))
}

type FlagKind = FlagDefinition['kind']
type Flag = readonly [key: keyof Inputs, kind: FlagKind, usage: string]

/** The flags of all commands by name. Which of them a command has depends on the Platform API. */
export const FLAGS = {
  analyzed: ['analyzedPath', 'text', 'path to analyzed.toml'],
  app: ['appDir', 'text', 'path to app directory'],
  'build-config': ['buildConfigDir', 'text', 'path to build config directory'],
  'build-image': ['buildImage', 'text', 'build image tag name'],
  'build-timeout': ['buildTimeout', 'duration', 'time after which a bin/build is ended; 0: never'],
  buildpacks: ['buildpacksDir', 'text', 'path to buildpacks directory'],
  'cache-dir': ['cacheDir', 'text', 'path to cache directory'],
  'cache-image': ['cacheImage', 'text', 'cache image tag name'],
  daemon: ['daemon', 'boolean', 'export to docker daemon'],
  'detect-timeout': [
    'detectTimeout',
    'duration',
    'time after which a bin/detect or bin/generate is ended; 0: never',
  ],
  extended: [
    'extendedDir',
    'text',
    'path to output directory for image layers created from applying generated Dockerfiles',
  ],
  extensions: ['extensionsDir', 'text', 'path to extensions directory'],
  force: ['forceRebase', 'boolean', 'allow a rebase that the checks of the app image forbid'],
  generated: ['generatedDir', 'text', 'path to output directory for files generated by image extensions'],
  gid: ['gid', 'integer', "GID of user's group in the stack's build and run images"],
  group: ['groupPath', 'text', 'path to group.toml'],
  image: ['deprecatedRunImage', 'text', '[deprecated] reference to run image'],
  'insecure-registry': ['insecureRegistries', 'list', 'insecure registries'],
  'kaniko-cache-ttl': ['kanikoCacheTtl', 'duration', 'time for which cached base layers are kept'],
  kind: ['extendKind', 'text', 'kind of image to extend: build or run'],
  'launch-cache': ['launchCacheDir', 'text', 'path to launch cache directory'],
  launcher: ['launcherPath', 'text', 'path to launcher binary'],
  'launcher-sbom': ['launcherSbomDir', 'text', 'path to launcher SBOM directory'],
  layers: ['layersDir', 'text', 'path to layers directory'],
  layout: ['layout', 'boolean', 'export to OCI layout format on disk'],
  'layout-dir': ['layoutDir', 'text', 'path to output directory for images in OCI layout format'],
  'log-format': ['logFormat', 'text', 'text or json'],
  'log-level': ['logLevel', 'text', 'logging level'],
  'no-color': ['noColor', 'boolean', 'disable color output'],
  order: ['orderPath', 'text', 'path to order.toml'],
  parallel: ['parallel', 'boolean', 'export app image and cache image in parallel'],
  plan: ['planPath', 'text', 'path to plan.toml'],
  platform: ['platformDir', 'text', 'path to platform directory'],
  'previous-image': ['previousImage', 'text', 'reference to previous image'],
  'process-type': ['processType', 'text', 'default process type'],
  'project-metadata': ['projectMetadataPath', 'text', 'path to project-metadata.toml'],
  report: ['reportPath', 'text', 'path to report.toml'],
  run: ['runPath', 'text', 'path to run.toml'],
  'run-image': ['runImage', 'text', 'reference to run image'],
  'skip-layers': ['skipLayers', 'boolean', 'do not provide layer metadata to buildpacks'],
  'skip-restore': ['skipLayers', 'boolean', 'do not restore layers or layer metadata'],
  stack: ['stackPath', 'text', 'path to stack.toml'],
  system: ['systemPath', 'text', 'path to system.toml'],
  tag: ['tags', 'list', 'additional tags'],
  uid: ['uid', 'integer', "UID of user in the stack's build and run images"],
  verify: ['verify', 'boolean', 'read every layer again, also one that did not change'],
  version: ['version', 'boolean', 'show version'],
} as const satisfies Readonly<Record<string, Flag>>

export type FlagName = keyof typeof FLAGS

/** The flags that there are from a version of the Platform API on. */
export function since(
  platformApi: ApiVersion,
  least: `${number}.${number}`,
  ...names: readonly FlagName[]
): readonly FlagName[] {
  return isAtLeast(platformApi, least) ? names : []
}

/** The definitions of some flags, with the inputs so far as their defaults. */
export function flagDefinitions(names: readonly FlagName[], inputs: Inputs): readonly FlagDefinition[] {
  return names.map((name) => {
    const [key, kind, usage] = FLAGS[name]
    return { name, kind, usage, value: inputs[key] }
  })
}

/** The inputs with what flags say put in their place. */
export function withFlags(inputs: Inputs, values: ReadonlyMap<string, FlagValue>): Inputs {
  const given = [...values].map(([name, value]) => [FLAGS[name as FlagName][0], value] as const)
  return { ...inputs, ...Object.fromEntries(given) }
}
