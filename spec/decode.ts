/**
 * Reading typed values out of a parsed TOML or JSON document. Every failure names the file, the key, what was expected
 * and what was found. Keys that nobody asks for are tolerated.
 */
import { SlipwayError } from '../core/error.ts'
import type { TomlSource } from './toml/parse.ts'
import { isTable, TomlDateTime } from './toml/value.ts'

/** One table of a document. Absent keys and JSON's null are the same. */
export interface Reader {
  readonly source: TomlSource
  /** Where the table stands: `group[0]`; empty for the document. */
  readonly path: string
  /** Keys as they stand in the table. */
  readonly keys: readonly string[]
  has(key: string): boolean
  /** The value as parsed. */
  value(key: string): unknown
  /** A string that must be there. */
  string(key: string): string
  /** A string, undefined where the key is missing. */
  optionalString(key: string): string | undefined
  /** A string, empty where the key is missing. */
  text(key: string): string
  /** A boolean, false where the key is missing. */
  flag(key: string): boolean
  /** An integer that JavaScript's numbers hold exactly, undefined where the key is missing. */
  integer(key: string): number | undefined
  /** An array of strings, undefined where the key is missing. */
  strings(key: string): readonly string[] | undefined
  /** A table, undefined where the key is missing. */
  table(key: string): Reader | undefined
  /** An array of tables, empty where the key is missing. */
  tables(key: string): readonly Reader[]
  /** A string that must be there and that `parse` takes; its error gets the place. */
  parsed<T>(key: string, parse: (text: string) => T): T
  /** A key itself, which is a name that `parse` takes. */
  parsedKey<T>(key: string, parse: (text: string) => T): T
  /** The error for a key: `SPEC_FILE_INVALID`. */
  invalid(key: string, reason: string): SlipwayError
}

/** Reads `value` as a table. @throws SlipwayError `SPEC_FILE_INVALID` when it is none. */
export function readTable(value: unknown, source: TomlSource, path = ''): Reader {
  if (!isTable(value)) throw invalidAt(source, path, `expected a table, found ${kindOf(value)}`)
  const table: { readonly [key: string]: unknown } = value
  const at = (key: string) => (path === '' ? quoteKey(key) : `${path}.${quoteKey(key)}`)
  const get = (key: string): unknown => (Object.hasOwn(table, key) ? (table[key] ?? undefined) : undefined)
  const expected = (key: string, what: string) =>
    invalidAt(source, at(key), `expected ${what}, found ${kindOf(get(key))}`)

  const reader: Reader = {
    source,
    path,
    keys: Object.keys(table),
    has: (key) => get(key) !== undefined,
    value: get,
    string: (key) => reader.optionalString(key) ?? fail(expected(key, 'a string')),
    optionalString: (key) => {
      const found = get(key)
      return found === undefined || typeof found === 'string' ? found : fail(expected(key, 'a string'))
    },
    text: (key) => reader.optionalString(key) ?? '',
    flag: (key) => {
      const found = get(key)
      return typeof found === 'boolean' ? found : found !== undefined && fail(expected(key, 'true or false'))
    },
    integer: (key) => {
      const found = get(key)
      if (found === undefined) return undefined
      const number = typeof found === 'bigint' ? Number(found) : Number.NaN
      return Number.isSafeInteger(number) ? number : fail(expected(key, 'an integer'))
    },
    strings: (key) => {
      const found = get(key)
      if (found === undefined) return undefined
      if (!Array.isArray(found)) throw expected(key, 'an array of strings')
      return found.map((item: unknown, index) => {
        if (typeof item === 'string') return item
        throw invalidAt(source, `${at(key)}[${index}]`, `expected a string, found ${kindOf(item)}`)
      })
    },
    table: (key) => {
      const found = get(key)
      return found === undefined ? undefined : readTable(found, source, at(key))
    },
    tables: (key) => {
      const found = get(key)
      if (found === undefined) return []
      if (!Array.isArray(found)) throw expected(key, 'an array of tables')
      return found.map((item: unknown, index) => readTable(item, source, `${at(key)}[${index}]`))
    },
    parsed: (key, parse) => located(reader, key, reader.string(key), parse),
    parsedKey: (key, parse) => located(reader, key, key, parse),
    invalid: (key, reason) => invalidAt(source, at(key), reason),
  }
  return reader
}

function located<T>(reader: Reader, key: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (error) {
    throw error instanceof SlipwayError ? reader.invalid(key, error.message) : error
  }
}

function fail(error: SlipwayError): never {
  throw error
}

function invalidAt(source: TomlSource, path: string, reason: string): SlipwayError {
  return new SlipwayError('SPEC_FILE_INVALID', [source.file, path, reason].filter(Boolean).join(': '), {
    subject: source.file,
    class: source.class ?? 'user',
  })
}

function quoteKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof TomlDateTime) return 'a date'
  switch (typeof value) {
    case 'string':
      return 'a string'
    case 'boolean':
      return 'a boolean'
    case 'bigint':
      return 'an integer'
    case 'number':
      return 'a float'
    default:
      return 'a table'
  }
}
