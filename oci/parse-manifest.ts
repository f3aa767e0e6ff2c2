import { SlipwayError } from '../core/error.ts'
import { isDigest } from './digest.ts'
import { type Descriptor, type ImageConfig, type Index, type Manifest, MEDIA_TYPES } from './image.ts'

/** Reads what registries and layouts answer; they are strangers, so shapes are checked before anything trusts a type. */

/** Most that registries take (distribution-spec), and a configuration with every label that they do. */
export const MANIFEST_LIMIT = 4 << 20
export const CONFIG_LIMIT = 8 << 20

export type ManifestKind = 'manifest' | 'index'

const KINDS: ReadonlyMap<string, ManifestKind> = new Map([
  [MEDIA_TYPES.ociManifest, 'manifest'],
  [MEDIA_TYPES.dockerManifest, 'manifest'],
  [MEDIA_TYPES.ociIndex, 'index'],
  [MEDIA_TYPES.dockerIndex, 'index'],
])

/** What a media type announces; undefined for anything that is neither an image's manifest nor an index. */
export function kindOf(mediaType: string): ManifestKind | undefined {
  return KINDS.get(mediaType)
}

/** The media type of a manifest's bytes where nobody said it: its own field, or OCI's by its shape. */
export function mediaTypeOf(bytes: Uint8Array, subject: string): string {
  const value = parseObject(bytes, subject)
  if (typeof value.mediaType === 'string') return value.mediaType
  return Array.isArray(value.manifests) ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest
}

/** @throws SlipwayError `OCI_MANIFEST_INVALID` */
export function parseManifest(bytes: Uint8Array, subject: string): Manifest {
  const value = parseObject(bytes, subject)
  if (value.schemaVersion !== 2) throw invalid(subject, 'schemaVersion is not 2')
  checkDescriptor(value.config, subject, 'config')
  checkDescriptors(value.layers, subject, 'layers')
  return value as unknown as Manifest
}

/** @throws SlipwayError `OCI_MANIFEST_INVALID` */
export function parseIndex(bytes: Uint8Array, subject: string): Index {
  const value = parseObject(bytes, subject)
  if (value.schemaVersion !== 2) throw invalid(subject, 'schemaVersion is not 2')
  checkDescriptors(value.manifests, subject, 'manifests')
  return value as unknown as Index
}

/** @throws SlipwayError `OCI_CONFIG_INVALID` */
export function parseConfig(bytes: Uint8Array, subject: string): ImageConfig {
  const value = parseObject(bytes, subject, 'OCI_CONFIG_INVALID')
  const rootfs = value.rootfs
  const diffIds = isObject(rootfs) ? rootfs.diff_ids : undefined
  const fail = (what: string) => invalid(subject, what, 'OCI_CONFIG_INVALID')
  // Docker writes null for an image without layers.
  const ids = diffIds ?? []
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string' && isDigest(id))) {
    throw fail('rootfs.diff_ids is no list of digests')
  }
  for (const key of ['os', 'architecture']) {
    if (value[key] !== undefined && typeof value[key] !== 'string') throw fail(`${key} is no text`)
  }
  const config = value.config ?? undefined
  if (config !== undefined) checkRunConfig(config, fail)
  const history = value.history ?? undefined
  if (history !== undefined && (!Array.isArray(history) || !history.every(isObject))) {
    throw fail('history is no list')
  }
  const { history: _, config: __, ...rest } = value
  return {
    ...rest,
    os: value.os ?? '',
    architecture: value.architecture ?? '',
    ...(config === undefined ? {} : { config }),
    ...(history === undefined ? {} : { history }),
    rootfs: { type: 'layers', diff_ids: ids },
  } as unknown as ImageConfig
}

function checkRunConfig(config: unknown, fail: (what: string) => SlipwayError): void {
  if (!isObject(config)) throw fail('config is no object')
  for (const key of ['Env', 'Entrypoint', 'Cmd']) {
    const list = config[key] ?? []
    if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
      throw fail(`config.${key} is no list of texts`)
    }
  }
  const labels = config.Labels ?? {}
  if (!isObject(labels) || !Object.values(labels).every((label) => typeof label === 'string')) {
    throw fail('config.Labels is no map of texts')
  }
  for (const key of ['User', 'WorkingDir', 'StopSignal']) {
    if (config[key] !== undefined && typeof config[key] !== 'string') throw fail(`config.${key} is no text`)
  }
}

function checkDescriptors(value: unknown, subject: string, field: string): void {
  if (!Array.isArray(value)) throw invalid(subject, `${field} is no list`)
  for (const [index, item] of value.entries()) checkDescriptor(item, subject, `${field}[${index}]`)
}

function checkDescriptor(value: unknown, subject: string, field: string): asserts value is Descriptor {
  if (!isObject(value)) throw invalid(subject, `${field} is no descriptor`)
  const { mediaType, digest, size } = value
  if (typeof mediaType !== 'string') throw invalid(subject, `${field} has no mediaType`)
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(subject, `${field} has no digest`)
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid(subject, `${field} has no size`)
  const { annotations, platform, urls } = value
  if (annotations !== undefined && !isObject(annotations)) throw invalid(subject, `${field}.annotations`)
  if (platform !== undefined && !isObject(platform)) throw invalid(subject, `${field}.platform`)
  if (urls !== undefined && !Array.isArray(urls)) throw invalid(subject, `${field}.urls`)
}

function parseObject(
  bytes: Uint8Array,
  subject: string,
  code: 'OCI_MANIFEST_INVALID' | 'OCI_CONFIG_INVALID' = 'OCI_MANIFEST_INVALID',
): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw invalid(subject, 'it is not JSON', code, cause)
  }
  if (!isObject(value)) throw invalid(subject, 'it is no JSON object', code)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(
  subject: string,
  what: string,
  code: 'OCI_MANIFEST_INVALID' | 'OCI_CONFIG_INVALID' = 'OCI_MANIFEST_INVALID',
  cause?: unknown,
): SlipwayError {
  const thing = code === 'OCI_CONFIG_INVALID' ? 'configuration' : 'manifest'
  return new SlipwayError(code, `${subject} has no valid image ${thing}: ${what}`, {
    subject,
    class: 'infrastructure',
    ...(cause === undefined ? {} : { cause }),
  })
}
