import { SlipwayError } from './error.ts'

/**
 * JSON in the bytes of Go's `json.Marshal`, so that labels, configurations and manifests equal those of the reference:
 * fields in the order of the struct, keys of maps sorted, `<`, `>`, `&` escaped, no spaces.
 */

/** A map as Go has it: its keys come out sorted by bytes. Entries whose value is undefined are left out. */
export class GoMap {
  readonly entries: readonly (readonly [string, unknown])[]

  constructor(entries: Iterable<readonly [string, unknown]>) {
    this.entries = [...entries]
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}

/** Free-form data: every object in it is a map. Without it an object literal is a struct, written in the order of its fields. */
export function goMap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(goMap)
  if (typeof value !== 'object' || value === null || value instanceof GoMap) return value
  return new GoMap(Object.entries(value).map(([key, inner]) => [key, goMap(inner)]))
}

/**
 * Writes a value. Undefined fields are left out (`omitempty` is the caller's choice), a bigint is an integer of any size.
 * @throws SlipwayError `CORE_JSON_UNWRITABLE` for NaN, an infinity, a function, a symbol.
 */
export function goJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return goString(value)
    case 'boolean':
    case 'bigint':
      return String(value)
    case 'number':
      return goNumber(value)
    case 'object': {
      if (value === null) return 'null'
      if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
      return goObject(value instanceof GoMap ? value.entries : Object.entries(value))
    }
    case 'undefined':
      return 'null'
    default:
      throw unwritable(typeof value)
  }
}

function goObject(entries: readonly (readonly [string, unknown])[]): string {
  const written: string[] = []
  for (const [key, value] of entries) {
    if (value !== undefined) written.push(`${goString(key)}:${goJson(value)}`)
  }
  return `{${written.join(',')}}`
}

/** Both languages write the shortest digits and an exponent from 1e21 on and below 1e-6; only the negative zero differs. */
function goNumber(value: number): string {
  if (!Number.isFinite(value)) throw unwritable(String(value))
  return Object.is(value, -0) ? '-0' : String(value)
}

const ESCAPED = /[<>&\u2028\u2029]/g

/** Half of a surrogate pair: invalid UTF-8 to Go, which writes an escaped replacement character for it. */
const HALF = /\p{Surrogate}/u

function goString(text: string): string {
  const parts = text.split(HALF).map((part) =>
    JSON.stringify(part)
      .slice(1, -1)
      .replace(ESCAPED, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
  return `"${parts.join('\\ufffd')}"`
}

function unwritable(what: string): SlipwayError {
  return new SlipwayError('CORE_JSON_UNWRITABLE', `JSON has no form for ${what}`)
}
