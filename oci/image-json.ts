import { goJson, goMap } from '../core/go-json.ts'
import type { Descriptor, HistoryEntry, ImageConfig, Index, Manifest } from './image.ts'

/**
 * Configurations, manifests and indexes as go-containerregistry writes them: fields in the order of its structs, empty
 * ones left out, maps sorted. What it does not know follows, sorted, so that nothing of a base image is lost.
 */

const CONFIG = [
  'architecture',
  'author',
  'container',
  'created',
  'docker_version',
  'history',
  'os',
  'rootfs',
  'config',
  'os.version',
  'variant',
  'os.features',
]
const HISTORY = ['author', 'created', 'created_by', 'comment', 'empty_layer']
const RUN_CONFIG = [
  'AttachStderr',
  'AttachStdin',
  'AttachStdout',
  'Cmd',
  'Healthcheck',
  'Domainname',
  'Entrypoint',
  'Env',
  'Hostname',
  'Image',
  'Labels',
  'OnBuild',
  'OpenStdin',
  'StdinOnce',
  'Tty',
  'User',
  'Volumes',
  'WorkingDir',
  'ExposedPorts',
  'ArgsEscaped',
  'NetworkDisabled',
  'MacAddress',
  'StopSignal',
  'Shell',
]
const HEALTH = ['Test', 'Interval', 'Timeout', 'StartPeriod', 'Retries']
const MANIFEST = ['schemaVersion', 'mediaType', 'config', 'layers', 'annotations', 'subject']
const INDEX = ['schemaVersion', 'mediaType', 'manifests', 'annotations', 'subject']
const DESCRIPTOR = ['mediaType', 'size', 'digest', 'data', 'urls', 'annotations', 'platform', 'artifactType']
const PLATFORM = ['architecture', 'os', 'os.version', 'os.features', 'variant', 'features']

export function configJson(config: ImageConfig): string {
  return goJson(
    struct(
      config,
      CONFIG,
      {
        history: (entries) => (entries as HistoryEntry[]).map((entry) => struct(entry, HISTORY)),
        rootfs: (rootfs) => rootfs,
        config: (run) =>
          struct(run as object, RUN_CONFIG, { Healthcheck: (check) => struct(check as object, HEALTH) }),
        // ImageConfig says os and architecture are always there, and Go writes them even when empty.
      },
      ['architecture', 'os', 'rootfs', 'config'],
    ),
  )
}

export function manifestJson(manifest: Manifest): string {
  return goJson(
    struct(
      manifest,
      MANIFEST,
      {
        config: descriptor,
        layers: (layers) => (layers as Descriptor[]).map(descriptor),
        subject: descriptor,
      },
      ['schemaVersion', 'config', 'layers'],
    ),
  )
}

export function indexJson(index: Index): string {
  return goJson(
    struct(
      index,
      INDEX,
      {
        manifests: (manifests) => (manifests as Descriptor[]).map(descriptor),
        subject: descriptor,
      },
      ['schemaVersion', 'manifests'],
    ),
  )
}

function descriptor(value: unknown): object {
  return struct(
    value as object,
    DESCRIPTOR,
    { platform: (platform) => struct(platform as object, PLATFORM) },
    ['mediaType', 'size', 'digest'],
  )
}

/**
 * An object with its keys in order, known ones first; empty values are left out (`omitempty`) but for `always`. Objects
 * inside are maps unless `nested` knows better.
 */
function struct(
  value: object,
  order: readonly string[],
  nested: Readonly<Record<string, (value: unknown) => unknown>> = {},
  always: readonly string[] = [],
): object {
  const members = new Map(Object.entries(value))
  const unknown = [...members.keys()].filter((key) => !order.includes(key)).sort()
  const written = [...order, ...unknown].flatMap((key): [string, unknown][] => {
    const member = members.get(key) ?? (key === 'config' && always.includes(key) ? {} : undefined)
    if (member === undefined || member === null) return []
    if (!always.includes(key) && order.includes(key) && isEmpty(member)) return []
    return [[key, nested[key]?.(member) ?? goMap(member)]]
  })
  return Object.fromEntries(written)
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === '' || value === false || value === 0
}
