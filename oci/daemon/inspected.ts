import type { Digest } from '../digest.ts'
import { type ImageConfig, MEDIA_TYPES } from '../image.ts'
import { configJson } from '../image-json.ts'
import type { Answered } from './engine.ts'

/** What a running container is started with; the rest of a daemon's `Config` is about a container that once was. */
const RUN_CONFIG = [
  'Cmd',
  'Healthcheck',
  'Entrypoint',
  'Env',
  'Labels',
  'OnBuild',
  'User',
  'Volumes',
  'WorkingDir',
  'ExposedPorts',
  'StopSignal',
  'Shell',
] as const

/**
 * The configuration of an image as a daemon tells it, for it does not hand out the file itself: the bytes are ours, and
 * their digest is not that of the daemon's. Two images with the same bytes here are the same image. What a daemon may have
 * told wrongly is found by {@link parseConfig}.
 */
export function inspectedConfig(image: Answered, history: unknown): Uint8Array {
  const config = image.Config
  const diffIds = (image.RootFS as { Layers?: unknown } | null | undefined)?.Layers ?? []
  const entries = historyOf(history)
  return Buffer.from(
    configJson({
      architecture: image.Architecture,
      author: image.Author,
      created: image.Created,
      os: image.Os,
      'os.version': image.OsVersion,
      variant: image.Variant,
      config: pick(config),
      rootfs: { type: 'layers', diff_ids: diffIds },
      // It does not tell which entries made no layer: with others than layers none can be told apart.
      history: Array.isArray(diffIds) && entries.length === diffIds.length ? entries : undefined,
    } as unknown as ImageConfig),
  )
}

function pick(config: unknown): object {
  if (typeof config !== 'object' || config === null) return {}
  return Object.fromEntries(RUN_CONFIG.map((key) => [key, (config as Record<string, unknown>)[key]]))
}

/** Oldest first. */
function historyOf(history: unknown): readonly object[] {
  const entries: readonly unknown[] = Array.isArray(history) ? history : []
  return entries.toReversed().map((entry) => {
    const { Created, CreatedBy, Comment } = (entry ?? {}) as Record<string, unknown>
    return { created: timeOf(Created), created_by: CreatedBy, comment: Comment }
  })
}

function timeOf(seconds: unknown): string | undefined {
  const time = new Date(typeof seconds === 'number' ? seconds * 1000 : Number.NaN)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace('.000Z', 'Z')
}

/** A manifest for an image that has none that a daemon would show: its layers are named by what they are unpacked. */
export function inspectedManifest(configBytes: Uint8Array, config: Digest, diffIds: readonly Digest[]) {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: { mediaType: MEDIA_TYPES.dockerConfig, digest: config, size: configBytes.length },
    layers: diffIds.map((digest) => ({ mediaType: MEDIA_TYPES.dockerLayer, digest, size: 0 })),
  } as const
}
