/** Names of environment variables and what they mean (platform and buildpack spec; cnb-spec §2, §4, §7.2). */

/** Inputs of the lifecycle's commands. Flags win over them. */
export const ENV = {
  platformApi: 'CNB_PLATFORM_API',
  deprecationMode: 'CNB_DEPRECATION_MODE',
  experimentalMode: 'CNB_EXPERIMENTAL_MODE',
  logLevel: 'CNB_LOG_LEVEL',
  noColor: 'CNB_NO_COLOR',
  userId: 'CNB_USER_ID',
  groupId: 'CNB_GROUP_ID',
  analyzedPath: 'CNB_ANALYZED_PATH',
  appDir: 'CNB_APP_DIR',
  buildConfigDir: 'CNB_BUILD_CONFIG_DIR',
  buildImage: 'CNB_BUILD_IMAGE',
  buildpacksDir: 'CNB_BUILDPACKS_DIR',
  cacheDir: 'CNB_CACHE_DIR',
  cacheImage: 'CNB_CACHE_IMAGE',
  execEnv: 'CNB_EXEC_ENV',
  extendKind: 'CNB_EXTEND_KIND',
  extendedDir: 'CNB_EXTENDED_DIR',
  extensionsDir: 'CNB_EXTENSIONS_DIR',
  forceRebase: 'CNB_FORCE_REBASE',
  generatedDir: 'CNB_GENERATED_DIR',
  groupPath: 'CNB_GROUP_PATH',
  insecureRegistries: 'CNB_INSECURE_REGISTRIES',
  kanikoCacheTtl: 'CNB_KANIKO_CACHE_TTL',
  launchCacheDir: 'CNB_LAUNCH_CACHE_DIR',
  layersDir: 'CNB_LAYERS_DIR',
  layoutDir: 'CNB_LAYOUT_DIR',
  orderPath: 'CNB_ORDER_PATH',
  parallelExport: 'CNB_PARALLEL_EXPORT',
  planPath: 'CNB_PLAN_PATH',
  platformDir: 'CNB_PLATFORM_DIR',
  previousImage: 'CNB_PREVIOUS_IMAGE',
  processType: 'CNB_PROCESS_TYPE',
  projectMetadataPath: 'CNB_PROJECT_METADATA_PATH',
  registryAuth: 'CNB_REGISTRY_AUTH',
  reportPath: 'CNB_REPORT_PATH',
  runImage: 'CNB_RUN_IMAGE',
  runPath: 'CNB_RUN_PATH',
  skipLayers: 'CNB_SKIP_LAYERS',
  skipRestore: 'CNB_SKIP_RESTORE',
  stackPath: 'CNB_STACK_PATH',
  systemPath: 'CNB_SYSTEM_PATH',
  useDaemon: 'CNB_USE_DAEMON',
  useLayout: 'CNB_USE_LAYOUT',
  sourceDateEpoch: 'SOURCE_DATE_EPOCH',
} as const

/** What a buildpack's or extension's program is told (Buildpack API 0.8; before, by arguments alone). */
export const BUILDPACK_ENV = {
  buildpackDir: 'CNB_BUILDPACK_DIR',
  extensionDir: 'CNB_EXTENSION_DIR',
  platformDir: 'CNB_PLATFORM_DIR',
  buildPlanPath: 'CNB_BUILD_PLAN_PATH',
  buildpackPlanPath: 'CNB_BP_PLAN_PATH',
  layersDir: 'CNB_LAYERS_DIR',
  outputDir: 'CNB_OUTPUT_DIR',
  execEnv: 'CNB_EXEC_ENV',
  stackId: 'CNB_STACK_ID',
  targetOs: 'CNB_TARGET_OS',
  targetArch: 'CNB_TARGET_ARCH',
  targetArchVariant: 'CNB_TARGET_ARCH_VARIANT',
  targetDistroName: 'CNB_TARGET_DISTRO_NAME',
  targetDistroVersion: 'CNB_TARGET_DISTRO_VERSION',
} as const

export const DEFAULT_EXEC_ENV = 'production'

/** EN-1: what of the lifecycle's own environment reaches buildpacks, besides the variables of {@link BUILD_LAYER_PATHS}. */
export const BUILD_ENV_ALLOWED: ReadonlySet<string> = new Set([
  'CNB_STACK_ID',
  'HOSTNAME',
  'HOME',
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'NO_PROXY',
  'no_proxy',
])

/** Directories of a layer and the variables they are prepended to. */
export type LayerPaths = readonly (readonly [directory: string, variables: readonly string[]])[]

/** PX, for layers with `build = true`. */
export const BUILD_LAYER_PATHS: LayerPaths = [
  ['bin', ['PATH']],
  ['lib', ['LD_LIBRARY_PATH', 'LIBRARY_PATH']],
  ['include', ['CPATH']],
  ['pkgconfig', ['PKG_CONFIG_PATH']],
]

/** PX, for layers with `launch = true`. */
export const LAUNCH_LAYER_PATHS: LayerPaths = [
  ['bin', ['PATH']],
  ['lib', ['LD_LIBRARY_PATH']],
]

/** Variables that hold lists of paths at build: what users set is prepended to them (EN-3). */
export const BUILD_PATH_VARIABLES: ReadonlySet<string> = new Set(
  BUILD_LAYER_PATHS.flatMap(([, variables]) => variables),
)

/** LE-1: what a launched process does not see. */
export const LAUNCH_ENV_EXCLUDED: ReadonlySet<string> = new Set([
  'CNB_LAYERS_DIR',
  'CNB_APP_DIR',
  'CNB_PROCESS_TYPE',
  'CNB_PLATFORM_API',
  'CNB_DEPRECATION_MODE',
])

export const PROCESS_DIR = '/cnb/process'
export const LIFECYCLE_DIR = '/cnb/lifecycle'
export const LAUNCHER_PATH = '/cnb/lifecycle/launcher'

const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE_WORDS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

/** A boolean as Go's `strconv.ParseBool` reads it; undefined for anything else. In the environment that means false (C-4). */
export function parseBoolean(text: string): boolean | undefined {
  if (TRUE_WORDS.has(text)) return true
  return FALSE_WORDS.has(text) ? false : undefined
}
