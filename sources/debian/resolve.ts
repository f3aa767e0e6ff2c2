import { SlipwayError } from '../../core/error.ts'
import type { PackageIndex, PackageRecord } from './packages.ts'
import { fulfils, parseProvides, parseRelations, type Relation, relationText } from './relations.ts'

export interface ResolveRequest {
  /** Names of packages that must be there. */
  readonly packages: readonly string[]
  /** Names that are never taken; what depends on them is content without. */
  readonly exclude: readonly string[]
}

const PRIORITIES = ['required', 'important', 'standard', 'optional', 'extra']

/**
 * The dependency closure (Pre-Depends and Depends; Recommends are not followed) of some packages, sorted by name. The
 * same index and request give the same list, in whatever order the packages are asked for: what is asked for by name
 * is chosen first, then alternatives prefer what is chosen already, then what stands first.
 * @throws SlipwayError `SOURCE_DEBIAN_PACKAGE_MISSING`, `SOURCE_DEBIAN_CONFLICT`
 */
export function resolve(index: PackageIndex, request: ResolveRequest): readonly PackageRecord[] {
  const excluded = new Set(request.exclude)
  const chosen = new Map<string, PackageRecord>()
  /** What is provided by the chosen ones: name → versions (undefined where unversioned). */
  const provided = new Map<string, (string | undefined)[]>()
  const queue: PackageRecord[] = []

  const choose = (record: PackageRecord): void => {
    if (chosen.has(record.name)) return
    chosen.set(record.name, record)
    queue.push(record)
    for (const entry of parseProvides(record.provides, record.name)) {
      provided.set(entry.name, [...(provided.get(entry.name) ?? []), entry.version])
    }
  }

  const isMet = ({ name, constraint }: Relation): boolean => {
    const record = chosen.get(name)
    if (record !== undefined && fulfils(record.version, constraint)) return true
    return (provided.get(name) ?? []).some((version) => providesMeet(version, constraint))
  }

  /** The package that would meet a relation, were it chosen. */
  const find = (relation: Relation): PackageRecord | undefined => {
    const real = chosen.has(relation.name)
      ? undefined
      : index.candidates(relation.name).find(({ version }) => fulfils(version, relation.constraint))
    if (real !== undefined) return real
    const offers = index
      .providers(relation.name)
      .filter(
        ({ record, version }) => !excluded.has(record.name) && providesMeet(version, relation.constraint),
      )
    return offers.sort((a, b) => rank(a.record) - rank(b.record))[0]?.record
  }

  for (const name of [...new Set(request.packages)].sort()) {
    const record = index.candidates(name)[0]
    if (record === undefined) throw missing({ name }, 'the list of packages')
    choose(record)
  }
  for (let at = 0; at < queue.length; at++) {
    const record = queue[at] as PackageRecord
    const fields = [record.preDepends, record.depends].filter((field) => field !== '').join(', ')
    for (const alternatives of parseRelations(fields, record.name)) {
      if (alternatives.some((relation) => excluded.has(relation.name) || isMet(relation))) continue
      const found = alternatives.map(find).find((candidate) => candidate !== undefined)
      if (found === undefined) throw missing(alternatives[0] as Relation, `${record.name} ${record.version}`)
      choose(found)
    }
  }
  const list = [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  checkConflicts(list)
  return list
}

function providesMeet(version: string | undefined, constraint: Relation['constraint']): boolean {
  return constraint === undefined || (version !== undefined && fulfils(version, constraint))
}

function rank(record: PackageRecord): number {
  const at = PRIORITIES.indexOf(record.priority)
  return at === -1 ? PRIORITIES.length : at
}

/** Packages that say they cannot stand together; one that conflicts with a name it provides itself does not mean itself. */
function checkConflicts(list: readonly PackageRecord[]): void {
  const providers = new Map<string, { readonly by: string; readonly version: string | undefined }[]>()
  const add = (name: string, by: string, version: string | undefined): void =>
    void providers.set(name, [...(providers.get(name) ?? []), { by, version }])
  for (const record of list) {
    add(record.name, record.name, record.version)
    for (const entry of parseProvides(record.provides, record.name))
      add(entry.name, record.name, entry.version)
  }
  for (const record of list) {
    const fields = [record.conflicts, record.breaks].filter((field) => field !== '').join(', ')
    for (const relation of parseRelations(fields, record.name).flat()) {
      const other = providers
        .get(relation.name)
        ?.find(({ by, version }) => by !== record.name && providesMeet(version, relation.constraint))
      if (other === undefined) continue
      throw new SlipwayError(
        'SOURCE_DEBIAN_CONFLICT',
        `${record.name} ${record.version} cannot be installed with ${other.by}: it excludes ${relationText(relation)}`,
        { subject: record.name, class: 'usage', hint: 'take one of the two out of the list of packages' },
      )
    }
  }
}

function missing(relation: Relation, wantedBy: string): SlipwayError {
  return new SlipwayError(
    'SOURCE_DEBIAN_PACKAGE_MISSING',
    `no package for ${relationText(relation)}, which ${wantedBy} needs`,
    {
      subject: relation.name,
      class: 'usage',
      hint: 'check the name and the suite, or exclude it',
    },
  )
}
