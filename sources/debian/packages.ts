import { SlipwayError } from '../../core/error.ts'
import { parseStanza, type Stanza } from './deb822.ts'
import { parseProvides } from './relations.ts'
import { compareVersions } from './version.ts'

/** Which archive a package comes from: two that are mirrored apart. A mirror's address never becomes part of a record. */
export type ArchiveName = 'main' | 'security'

/** One binary package of an index. */
export interface PackageRecord {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly archive: ArchiveName
  /** Path below the archive's root. */
  readonly filename: string
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
  readonly priority: string
  /** Relationship fields as they are written. */
  readonly depends: string
  readonly preDepends: string
  readonly conflicts: string
  readonly breaks: string
  readonly provides: string
}

/** What a set of indices offers for one architecture. */
export interface PackageIndex {
  /** Packages of that name, newest first; where two archives have one version, the first text given wins. */
  candidates(name: string): readonly PackageRecord[]
  /** Packages that provide that name, in the order of their names, only the newest of each. */
  providers(name: string): readonly { readonly record: PackageRecord; readonly version?: string }[]
  /** How many stanzas there are. */
  readonly size: number
}

/** Where a stanza stands. */
interface Place {
  readonly source: number
  readonly start: number
  readonly end: number
}

/**
 * Indexes the texts of Packages files (or pieces of them that end between stanzas). Stanzas are only found here and parsed
 * when somebody asks for them: an index has some 70,000 and a closure a few hundred. For the same reason the texts stay
 * bytes, and who provides a name is looked for when it is asked.
 */
export function packageIndex(
  sources: readonly { readonly archive: ArchiveName; readonly text: Buffer }[],
): PackageIndex {
  const places: Place[] = []
  /** One place, or several where archives or suites have the same package: hardly ever. */
  const byName = new Map<string, number | readonly number[]>()
  for (const [source, { text }] of sources.entries()) {
    for (const { start, end, name } of stanzas(text)) {
      const known = byName.get(name)
      const at = places.push({ source, start, end }) - 1
      byName.set(name, known === undefined ? at : [known, at].flat())
    }
  }

  const cache = new Map<string, readonly PackageRecord[]>()
  const candidates = (name: string): readonly PackageRecord[] => {
    const cached = cache.get(name)
    if (cached !== undefined) return cached
    const records = [byName.get(name) ?? []].flat().map((at) => {
      const { source, start, end } = places[at] as Place
      const { text, archive } = sources[source] as (typeof sources)[number]
      return record(parseStanza(text.toString('utf8', start, end)), archive)
    })
    records.sort((a, b) => compareVersions(b.version, a.version))
    cache.set(name, records)
    return records
  }

  return {
    size: places.length,
    candidates,
    providers(name) {
      const providers = new Set(sources.flatMap(({ text }) => [...providersIn(text, name)]))
      return [...providers].sort().flatMap((provider) => {
        const newest = candidates(provider)[0]
        const entry =
          newest && parseProvides(newest.provides, newest.name).find((offer) => offer.name === name)
        if (newest === undefined || entry === undefined) return []
        return [{ record: newest, ...(entry.version === undefined ? {} : { version: entry.version }) }]
      })
    },
  }
}

const NAME_FIELD = 'Package: '
const PROVIDES_FIELD = 'Provides: '

/** Where the stanzas of packages stand. */
function* stanzas(
  text: Buffer,
): Generator<{ readonly start: number; readonly end: number; readonly name: string }> {
  for (let start = 0; start < text.length; ) {
    if (text[start] === 0x0a) {
      start++
      continue
    }
    const found = text.indexOf('\n\n', start)
    const end = found === -1 ? text.length : found + 1
    const name = nameIn(text, start, end)
    if (name !== undefined) yield { start, end, name }
    start = end + 1
  }
}

/** The package that a stanza is of. Debian begins each with the name; the format does not ask for it. */
function nameIn(text: Buffer, start: number, end: number): string | undefined {
  if (text.toString('latin1', start, start + NAME_FIELD.length) === NAME_FIELD) {
    return lineAt(text, start + NAME_FIELD.length)
  }
  const at = text.subarray(start, end).indexOf(`\n${NAME_FIELD}`)
  return at === -1 ? undefined : lineAt(text, start + at + 1 + NAME_FIELD.length)
}

/** Packages in whose Provides field a text stands: perhaps as part of another name, which the caller sees. */
function* providersIn(text: Buffer, name: string): Generator<string> {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + name.length)) {
    const line = text.lastIndexOf(0x0a, at) + 1
    if (text.toString('latin1', line, line + PROVIDES_FIELD.length) !== PROVIDES_FIELD) continue
    const before = text.lastIndexOf('\n\n', at)
    const provider = nameIn(text, before === -1 ? 0 : before + 2, at)
    if (provider !== undefined) yield provider
  }
}

function lineAt(text: Buffer, from: number): string {
  const end = text.indexOf(0x0a, from)
  return text.toString('latin1', from, end === -1 ? text.length : end).trim()
}

const SHA256 = /^[0-9a-f]{64}$/
/** No `..`, no leading slash, no query: it is joined to a mirror's address. */
const FILENAME = /^(?:[A-Za-z0-9+_~=%][A-Za-z0-9.+_~:=%-]*\/)*[A-Za-z0-9+_~=%][A-Za-z0-9.+_~:=%-]*$/

function record(stanza: Stanza, archive: ArchiveName): PackageRecord {
  const field = (name: string): string => stanza.get(name) ?? ''
  const result: PackageRecord = {
    name: field('package'),
    version: field('version'),
    architecture: field('architecture'),
    archive,
    filename: field('filename'),
    size: Number(field('size')),
    sha256: field('sha256'),
    priority: field('priority'),
    depends: field('depends'),
    preDepends: field('pre-depends'),
    conflicts: field('conflicts'),
    breaks: field('breaks'),
    provides: field('provides'),
  }
  const wrong = !SHA256.test(result.sha256)
    ? 'SHA256'
    : !FILENAME.test(result.filename)
      ? 'Filename'
      : !Number.isSafeInteger(result.size) || result.size <= 0
        ? 'Size'
        : result.version === ''
          ? 'Version'
          : undefined
  if (wrong !== undefined) {
    throw new SlipwayError(
      'SOURCE_DEBIAN_INDEX_INVALID',
      `the package index has no usable ${wrong} for ${result.name}`,
      {
        subject: result.name,
        class: 'infrastructure',
      },
    )
  }
  return result
}
