import { SlipwayError } from '../../core/error.ts'
import { compareVersions } from './version.ts'

export type Operator = '<<' | '<=' | '=' | '>=' | '>>'

/** `name (>= version)`; an architecture qualifier (`:any`) is read and dropped: one architecture is resolved at a time. */
export interface Relation {
  readonly name: string
  readonly constraint?: { readonly operator: Operator; readonly version: string }
}

/** A name that a package provides, with a version where it gives one. */
export interface Provided {
  readonly name: string
  readonly version?: string
}

const FORM =
  /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|>=|>>|=|<|>)\s*([A-Za-z0-9.+~:-]+)\s*\))?$/i
/** `<` and `>` are what `<=` and `>=` were written as long ago (deb-control(5)). */
const OLD: Readonly<Record<string, Operator>> = { '<': '<=', '>': '>=' }

/**
 * Parses a relationship field of a binary package (Depends, Pre-Depends, Conflicts …): every entry of the list must
 * hold, one of the alternatives of an entry is enough.
 * @throws SlipwayError `SOURCE_DEBIAN_RELATION_INVALID`
 */
export function parseRelations(field: string, subject: string): readonly (readonly Relation[])[] {
  return field
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => entry.split('|').map((text) => parseRelation(text.trim(), subject)))
}

function parseRelation(text: string, subject: string): Relation {
  const match = FORM.exec(text)
  const name = match?.[1]
  if (name === undefined) {
    throw new SlipwayError(
      'SOURCE_DEBIAN_RELATION_INVALID',
      `not a package relationship: ${JSON.stringify(text)}`,
      {
        subject,
        class: 'infrastructure',
      },
    )
  }
  const [, , sign, version] = match ?? []
  if (sign === undefined || version === undefined) return { name }
  return { name, constraint: { operator: OLD[sign] ?? (sign as Operator), version } }
}

/** Parses a Provides field. */
export function parseProvides(field: string, subject: string): readonly Provided[] {
  return parseRelations(field, subject).flatMap((alternatives) =>
    alternatives.map(({ name, constraint }) => ({
      name,
      ...(constraint === undefined ? {} : { version: constraint.version }),
    })),
  )
}

/** Whether a package of this version fulfils the relation's constraint. */
export function fulfils(version: string, constraint: Relation['constraint']): boolean {
  if (constraint === undefined) return true
  const order = compareVersions(version, constraint.version)
  switch (constraint.operator) {
    case '<<':
      return order < 0
    case '<=':
      return order <= 0
    case '=':
      return order === 0
    case '>=':
      return order >= 0
    case '>>':
      return order > 0
  }
}

/** `name (>= 1)` as it is written. */
export function relationText(relation: Relation): string {
  return relation.constraint === undefined
    ? relation.name
    : `${relation.name} (${relation.constraint.operator} ${relation.constraint.version})`
}
