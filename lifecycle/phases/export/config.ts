import type { ImageConfig } from '../../../oci/image.ts'
import { type ApiVersion, formatApiVersion, isAtLeast } from '../../../spec/api-version.ts'
import { LIFECYCLE_DIR, PROCESS_DIR } from '../../../spec/environment.ts'
import type { Label } from '../../../spec/files/launch.ts'

/** What an export changes in the configuration of the run image. */
export interface ConfigChanges {
  readonly platformApi: ApiVersion
  readonly layersDir: string
  readonly appDir: string
  readonly entrypoint: string
  /** In the order in which they are set: of two with the same key the later one stays. */
  readonly labels: readonly Label[]
  readonly created: string
}

/** An image's configuration without what its layers decide. */
export type ConfigWithoutLayers = Omit<ImageConfig, 'rootfs' | 'history'>

/**
 * The configuration of an app image (cnb-spec §5.5): the run image's, with the environment, working directory,
 * entrypoint, labels and time of a build. What says how the run image itself was made goes.
 */
export function appConfig(base: ImageConfig, changes: ConfigChanges): ConfigWithoutLayers {
  const { rootfs: _rootfs, history: _history, ...kept } = base as ImageConfig & Record<string, unknown>
  for (const key of ['container', 'container_config', 'docker_version'])
    delete (kept as Record<string, unknown>)[key]
  const { Cmd: _cmd, ...config } = base.config ?? {}
  return {
    ...kept,
    created: changes.created,
    config: {
      ...config,
      Env: appEnvironment(config.Env ?? [], changes),
      Entrypoint: [changes.entrypoint],
      WorkingDir: changes.appDir,
      Labels: withLabels(config.Labels ?? {}, changes.labels),
    },
  }
}

/** CF-1: variables that are there keep their place, new ones follow. */
function appEnvironment(base: readonly string[], changes: ConfigChanges): string[] {
  const environment = new Map(base.map((variable) => splitVariable(variable)))
  environment.set('CNB_LAYERS_DIR', changes.layersDir)
  environment.set('CNB_APP_DIR', changes.appDir)
  environment.set('CNB_PLATFORM_API', formatApiVersion(changes.platformApi))
  environment.set('CNB_DEPRECATION_MODE', 'quiet')
  environment.set('PATH', `${PROCESS_DIR}:${LIFECYCLE_DIR}:${environment.get('PATH') ?? ''}`)
  return [...environment].map(([name, value]) => `${name}=${value}`)
}

function splitVariable(variable: string): [name: string, value: string] {
  const at = variable.indexOf('=')
  return at < 0 ? [variable, ''] : [variable.slice(0, at), variable.slice(at + 1)]
}

/** Sorted as Go writes a map, so that the order of setting shows in no byte. */
function withLabels(base: Readonly<Record<string, string>>, added: readonly Label[]): Record<string, string> {
  const labels = new Map([...Object.entries(base), ...added.map(({ key, value }) => [key, value] as const)])
  const sorted = [...labels].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return Object.fromEntries(sorted)
}

/** 1980-01-01T00:00:01Z, as every file in a layer. */
const DEFAULT_CREATED = '1980-01-01T00:00:01Z'
/** Years 1 to 9999: what can be written in the image's configuration. */
const EARLIEST = -62_135_596_800n
const LATEST = 253_402_300_799n

/** When the image says it was made (cnb-spec CF-4). `isInvalid` where SOURCE_DATE_EPOCH is ignored. */
export function createdTime(
  sourceDateEpoch: string | undefined,
  platformApi: ApiVersion,
): { readonly created: string; readonly isInvalid: boolean } {
  const text = sourceDateEpoch ?? ''
  if (text === '' || !isAtLeast(platformApi, '0.9')) return { created: DEFAULT_CREATED, isInvalid: false }
  const seconds = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace('+', '')) : undefined
  if (seconds === undefined || seconds < EARLIEST || seconds > LATEST) {
    return { created: DEFAULT_CREATED, isInvalid: true }
  }
  return { created: new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z'), isInvalid: false }
}
