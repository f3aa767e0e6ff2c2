/** Reading JSON labels: integers keep all their digits, depth and size are capped, and opaque metadata turns into TOML's values and back. */
import { SlipwayError } from '../core/error.ts'
import { GoMap } from '../core/go-json.ts'
import { type Reader, readTable } from './decode.ts'
import type { TomlSource } from './toml/parse.ts'
import { TomlDateTime, type TomlValue } from './toml/value.ts'

/** An integer is a bigint, every other number a float. */
export type JsonValue = string | bigint | number | boolean | null | readonly JsonValue[] | JsonObject

export interface JsonObject {
  readonly [key: string]: JsonValue
}

const DEFAULT_MAX_LENGTH = 16 << 20
const MAX_DEPTH = 100

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_TOO_LARGE` */
export function parseJson(text: string, source: TomlSource): JsonValue {
  const max = source.maxLength ?? DEFAULT_MAX_LENGTH
  if (text.length > max) {
    throw new SlipwayError('SPEC_FILE_TOO_LARGE', `${source.file} has more than ${max} characters`, {
      subject: source.file,
      class: source.class ?? 'user',
    })
  }
  if (deepest(text) > MAX_DEPTH) throw syntax(source, `nested more than ${MAX_DEPTH} levels deep`)
  try {
    return JSON.parse(text, revive) as JsonValue
  } catch (error) {
    throw syntax(source, error instanceof Error ? error.message : String(error))
  }
}

/** A JSON document whose root is an object. @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function readJson(text: string, source: TomlSource): Reader {
  return readTable(parseJson(text, source), source)
}

/** No longer than int64 can be: what is, is a float, as every number of a label is in Go. */
const INTEGER = /^(?:-[1-9]\d{0,18}|\d{1,19})$/

function revive(_key: string, value: unknown, context: { readonly source?: string } = {}): unknown {
  if (typeof value === 'number') return number(value, context.source ?? '')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.assign(Object.create(null), value)
}

function number(value: number, text: string): bigint | number {
  if (!Number.isFinite(value)) throw new RangeError(`the number ${text.slice(0, 20)} is out of range`)
  return INTEGER.test(text) ? BigInt(text) : value
}

/** How many brackets are open at once, those in strings left out. No regular expression: they overflow on long strings. */
function deepest(text: string): number {
  let depth = 0
  let most = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) inString = !inString
    else if (inString && c === BACKSLASH) i++
    else if (!inString && (c === OPEN_ARRAY || c === OPEN_OBJECT)) most = Math.max(most, ++depth)
    else if (!inString && (c === CLOSE_ARRAY || c === CLOSE_OBJECT)) depth--
  }
  return most
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, OPEN_OBJECT, CLOSE_ARRAY, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x5b, 0x7b, 0x5d, 0x7d,
]

function syntax(source: TomlSource, reason: string): SlipwayError {
  return new SlipwayError('SPEC_JSON_SYNTAX', `${source.file}: ${reason}`, {
    subject: source.file,
    class: source.class ?? 'user',
  })
}

/**
 * Opaque metadata as it goes into a label: what Go's `json.Marshal` makes of decoded TOML. A date becomes a string, a
 * float without a fraction loses its `.0`.
 */
export function tomlToJson(value: TomlValue): unknown {
  if (value instanceof TomlDateTime) return value.toGoText()
  if (Array.isArray(value)) return value.map(tomlToJson)
  if (typeof value !== 'object') return value
  return new GoMap(Object.entries(value).map(([key, inner]) => [key, tomlToJson(inner)]))
}

const INT64 = 64

/**
 * Opaque metadata from a label. Integers stay integers (the reference turns them into floats here); one that TOML
 * cannot hold becomes a float; null entries of objects go, as in Go's TOML encoder.
 * @throws SlipwayError `SPEC_FILE_INVALID` for null in an array
 */
export function jsonToToml(value: JsonValue, source: TomlSource): TomlValue | undefined {
  if (value === null) return undefined
  if (typeof value === 'bigint') return BigInt.asIntN(INT64, value) === value ? value : Number(value)
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) {
    return value.map((item: JsonValue) => {
      const converted = jsonToToml(item, source)
      if (converted !== undefined) return converted
      throw new SlipwayError('SPEC_FILE_INVALID', `${source.file}: null stands in an array`, {
        subject: source.file,
        class: source.class ?? 'user',
      })
    })
  }
  const table: Record<string, TomlValue> = Object.create(null)
  for (const [key, inner] of Object.entries(value)) {
    const converted = jsonToToml(inner, source)
    if (converted !== undefined) table[key] = converted
  }
  return table
}
