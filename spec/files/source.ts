import { type Reader, readTable } from '../decode.ts'
import { parseToml, type TomlSource } from '../toml/parse.ts'

/** What every parser of a file takes besides the text: the file's path for error messages, and caps. */
export type FileSource = TomlSource

/** Parses a document and gives its root table. */
export function readDocument(text: string, source: FileSource): Reader {
  return readTable(parseToml(text, source), source)
}

/** The same text, undefined where it is empty: the form of a field that is left out when written. */
export function orAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The same list, undefined where it is empty: for fields in which the two mean the same. */
export function someOrAbsent<T>(items: readonly T[] | undefined): readonly T[] | undefined {
  return items === undefined || items.length === 0 ? undefined : items
}

/** `{ [key]: value }`, or nothing where the value is undefined: for fields that may be left out. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V })
}
