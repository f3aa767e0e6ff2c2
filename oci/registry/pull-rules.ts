import { SlipwayError } from '../../core/error.ts'
import { isDigest } from '../digest.ts'
import { DEFAULT_REGISTRY, parseReference, type Reference } from '../reference.ts'
import { normalizeKey } from './credentials/docker-config.ts'

/**
 * Where names are pulled from: the `[[registry]]` tables of a `registries.conf`, version 2 (containers-registries.conf(5)),
 * as podman, buildah and CRI-O read them. Pure.
 */
export interface PullRule {
  /** A registry, a name's beginning that ends at a `/`, or `*.example.com` for every registry below. */
  readonly prefix: string
  readonly insecure: boolean
  readonly blocked: boolean
  /** Asked in this order before the registry. */
  readonly mirrors: readonly Mirror[]
  /** Asked in place of the registry itself; nothing is pushed there. */
  readonly location?: string
}

export interface Mirror {
  readonly location: string
  readonly insecure: boolean
  /** What is asked of it: a mirror may lag behind with tags, never with digests. */
  readonly serves: 'all' | 'digest-only' | 'tag-only'
}

/** A repository to read from, and what of it. */
export interface PullPlace {
  readonly reference: Reference
  readonly serves: Mirror['serves']
}

/**
 * The rules of a parsed file; later files replace what earlier ones say of a prefix.
 * @throws SlipwayError `OCI_REGISTRIES_CONF_INVALID`
 */
export function parsePullRules(conf: unknown, file: string): PullRule[] {
  const { registry = [] } = table(conf, file)
  return tables(registry, 'registry', file).map((entry) => {
    const location = text(entry, 'location', file)
    const prefix = text(entry, 'prefix', file) ?? location
    if (prefix === undefined) throw invalid(file, 'a [[registry]] has neither prefix nor location')
    const digestOnly = flag(entry, 'mirror-by-digest-only', file)
    const moved = location !== undefined && normalizeKey(location) !== normalizeKey(prefix)
    return {
      prefix: normalizeKey(prefix),
      insecure: flag(entry, 'insecure', file),
      blocked: flag(entry, 'blocked', file),
      mirrors: tables(entry.mirror ?? [], 'registry.mirror', file).map((mirror) =>
        parseMirror(mirror, digestOnly, file),
      ),
      ...(moved ? { location: trimmed(location, file) } : {}),
    }
  })
}

function parseMirror(mirror: Table, digestOnly: boolean, file: string): Mirror {
  const location = text(mirror, 'location', file)
  if (location === undefined) throw invalid(file, 'a [[registry.mirror]] has no location')
  const serves = text(mirror, 'pull-from-mirror', file) ?? (digestOnly ? 'digest-only' : 'all')
  if (serves !== 'all' && serves !== 'digest-only' && serves !== 'tag-only') {
    throw invalid(file, `pull-from-mirror is none of all, digest-only, tag-only: ${JSON.stringify(serves)}`)
  }
  return { location: trimmed(location, file), insecure: flag(mirror, 'insecure', file), serves }
}

/** What a rule declares insecure, as entries of that list: its own prefix and location, and its mirrors. */
export function insecureEntries({ prefix, insecure, location, mirrors }: PullRule): string[] {
  const own = insecure ? [prefix, ...(location === undefined ? [] : [location])] : []
  return [...own, ...mirrors.filter((mirror) => mirror.insecure).map((mirror) => mirror.location)]
}

/** The rule of a name: that with the longest fitting prefix. */
export function ruleFor(rules: readonly PullRule[], reference: Reference): PullRule | undefined {
  let best: { readonly rule: PullRule; readonly length: number } | undefined
  for (const rule of rules) {
    const length = fitting(rule.prefix, reference)
    // Of equal ones the last: it comes from a later file.
    if (length !== undefined && length >= (best?.length ?? 0)) best = { rule, length }
  }
  return best?.rule
}

/** Where a name is read from instead of its registry, in order. The last place has a rule's `location` where there is one. */
export function pullPlaces(rule: PullRule, reference: Reference): PullPlace[] {
  const rest = nameOf(reference).slice(fitting(rule.prefix, reference) ?? 0)
  const place = (location: string): Reference => {
    const { registry, repository } = parseReference(`${location}${rest}`)
    return { ...reference, registry, repository }
  }
  const mirrors = rule.mirrors.map(({ location, serves }) => ({ reference: place(location), serves }))
  return rule.location === undefined
    ? mirrors
    : [...mirrors, { reference: place(rule.location), serves: 'all' }]
}

/** Whether a place is asked for a tag or digest. */
export function servesName(serves: Mirror['serves'], name: string): boolean {
  return serves === 'all' || (serves === 'digest-only') === isDigest(name)
}

/** Length of the part of the name that a prefix stands for; undefined where it does not fit. */
function fitting(prefix: string, reference: Reference): number | undefined {
  const name = nameOf(reference)
  if (prefix.startsWith('*.')) {
    const host = reference.registry.toLowerCase()
    return host.endsWith(prefix.slice(1)) ? host.length : undefined
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : undefined
}

/** Docker Hub under one of its names, as keys of credentials have it. */
function nameOf(reference: Reference): string {
  return `${normalizeKey(reference.registry)}/${reference.repository}`
}

/** A location becomes the beginning of a name: it must be one. */
function trimmed(location: string, file: string): string {
  const name = location.replace(/\/+$/, '')
  const first = name.split('/', 1)[0] ?? ''
  try {
    const { registry } = parseReference(`${name}/any`)
    if (registry.toLowerCase() === first.toLowerCase() || registry === DEFAULT_REGISTRY) return name
  } catch {
    // Said below.
  }
  throw invalid(file, `not a registry: ${JSON.stringify(location.slice(0, 200))}`)
}

type Table = Readonly<Record<string, unknown>>

function table(value: unknown, file: string): Table {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Table
  throw invalid(file, 'a table was expected')
}

function tables(value: unknown, name: string, file: string): Table[] {
  if (!Array.isArray(value)) throw invalid(file, `${name} must be tables, as in [[${name}]]`)
  return value.map((entry) => table(entry, file))
}

function text(entry: Table, key: string, file: string): string | undefined {
  const value = entry[key]
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw invalid(file, `${key} must be a string`)
}

function flag(entry: Table, key: string, file: string): boolean {
  const value = entry[key] ?? false
  if (typeof value === 'boolean') return value
  throw invalid(file, `${key} must be true or false`)
}

function invalid(file: string, why: string): SlipwayError {
  return new SlipwayError('OCI_REGISTRIES_CONF_INVALID', `cannot use ${file}: ${why}`, {
    subject: file,
    hint: 'containers-registries.conf(5) describes the file, version 2',
    class: 'usage',
  })
}
