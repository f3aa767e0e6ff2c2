import { SlipwayError } from '../../core/error.ts'
import { byByteOrder } from '../byte-order.ts'
import { TomlDateTime } from './value.ts'

/**
 * Writes TOML in the layout of Go's BurntSushi encoder, so that files equal the reference's byte for byte: values
 * before sub-tables, two spaces per level, a blank line before top-level tables and every array element, keys of maps sorted.
 */

/** A table whose fields keep their order, as a Go struct. Fields whose value is undefined are left out. */
export class TomlStruct {
  readonly fields: readonly (readonly [string, Writable])[]

  constructor(fields: readonly (readonly [string, Writable | undefined])[]) {
    this.fields = fields.filter((field): field is readonly [string, Writable] => field[1] !== undefined)
  }
}

/** A value whose TOML text is given: for the few that the reference formats in its own way. */
export class TomlText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What can be written: what parsing gives, and structs anywhere in it. */
export type Writable =
  | string
  | bigint
  | number
  | boolean
  | TomlDateTime
  | TomlText
  | TomlStruct
  | readonly Writable[]
  | { readonly [key: string]: Writable }

/** A struct from an object literal: its fields in the order of the literal. */
export function struct(fields: { readonly [key: string]: Writable | undefined }): TomlStruct {
  return new TomlStruct(Object.entries(fields))
}

/**
 * The text of a document; empty for a table without entries.
 * @throws SlipwayError `SPEC_TOML_UNWRITABLE` for an integer outside of int64.
 */
export function writeToml(document: TomlStruct | { readonly [key: string]: Writable }): string {
  const out: string[] = []
  writeBody(out, [], document)
  return out.join('')
}

type Table = TomlStruct | { readonly [key: string]: Writable }

function isTable(value: Writable): value is Table {
  return (
    typeof value === 'object' &&
    !Array.isArray(value) &&
    !(value instanceof TomlDateTime) &&
    !(value instanceof TomlText)
  )
}

/** An empty array is an ordinary value: `key = []`. */
function isTableArray(value: Writable): value is readonly Table[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable)
}

function fieldsOf(table: Table): readonly (readonly [string, Writable])[] {
  if (table instanceof TomlStruct) return table.fields
  return Object.entries(table).sort(([a], [b]) => byByteOrder(a, b))
}

function writeBody(out: string[], path: readonly string[], table: Table): void {
  const fields = fieldsOf(table)
  const indent = '  '.repeat(path.length)
  const direct = fields.filter(([, value]) => !isTable(value) && !isTableArray(value))
  for (const [key, value] of direct) out.push(`${indent}${quoteKey(key)} = ${inline(value)}\n`)
  for (const [key, value] of fields) {
    const inner = [...path, key]
    if (isTableArray(value)) {
      for (const element of value) {
        if (out.length > 0) out.push('\n')
        out.push(`${indent}[[${inner.map(quoteKey).join('.')}]]\n`)
        writeBody(out, inner, element)
      }
    } else if (isTable(value)) {
      if (path.length === 0 && out.length > 0) out.push('\n')
      out.push(`${indent}[${inner.map(quoteKey).join('.')}]\n`)
      writeBody(out, inner, value)
    }
  }
}

function inline(value: Writable): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'bigint') return integer(value)
  if (typeof value === 'number') return float(value)
  if (typeof value === 'boolean') return String(value)
  if (value instanceof TomlDateTime || value instanceof TomlText) return value.text
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  const fields = fieldsOf(value as Table)
  const isNested = ([, field]: readonly [string, Writable]) => isTable(field) || isTableArray(field)
  const ordered = [...fields.filter((field) => !isNested(field)), ...fields.filter(isNested)]
  return `{${ordered.map(([key, field]) => `${quoteKey(key)} = ${inline(field)}`).join(', ')}}`
}

function integer(value: bigint): string {
  if (BigInt.asIntN(64, value) === value) return String(value)
  throw new SlipwayError('SPEC_TOML_UNWRITABLE', `integer ${value} does not fit into 64 bits`)
}

/** Go's shortest form (`strconv.FormatFloat(f, 'g', -1, 64)`), with `.0` where neither a point nor an exponent stands. */
function float(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const [mantissa = '0', power = '0'] = Math.abs(value).toExponential().split('e')
  const exponent = Number(power)
  if (value !== 0 && (exponent < -4 || exponent >= EXPONENT_FORM_FROM)) {
    const digits = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
  }
  const digits = mantissa.replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/** The power of ten from which on Go uses the exponent form of a shortest float. */
const EXPONENT_FORM_FROM = 6

const BARE_KEY = /^[A-Za-z0-9_-]+$/

function quoteKey(key: string): string {
  return BARE_KEY.test(key) ? key : quote(key)
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\t': '\\t',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
}

function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that must not stand in a TOML string
  const escaped = text.replace(/[\u0000-\u001f"\\\u007f]/g, (c) => {
    return ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${escaped}"`
}
