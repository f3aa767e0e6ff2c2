import { parseBoolean } from '../../spec/environment.ts'
import { goDuration, parseGoDuration } from '../log/go-duration.ts'

/** Flags as Go's package `flag` reads them (cnb-spec C-2): `-x v`, `-x=v`, `--x`; the first positional ends them. */

export type FlagValue = string | number | boolean | readonly string[]

export interface FlagDefinition {
  readonly name: string
  readonly kind: 'text' | 'boolean' | 'integer' | 'duration' | 'list'
  readonly usage: string
  /** What it is where the flag is not given; a list is extended. A duration is in milliseconds. */
  readonly value: FlagValue
}

export type ParsedFlags =
  | {
      readonly kind: 'parsed'
      readonly values: ReadonlyMap<string, FlagValue>
      readonly positionals: readonly string[]
    }
  /** `-h` */
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly message: string }

/** Values are those of the flags that were given alone. */
export function parseFlags(definitions: readonly FlagDefinition[], args: readonly string[]): ParsedFlags {
  const values = new Map<string, FlagValue>()
  let at = 0
  while (at < args.length) {
    const token = args[at] ?? ''
    if (token.length < 2 || !token.startsWith('-')) break
    at++
    if (token === '--') break
    const flag = readFlag(token, args[at], definitions, values)
    if ('kind' in flag) return flag
    values.set(flag.name, flag.value)
    if (flag.tookNext) at++
  }
  return { kind: 'parsed', values, positionals: args.slice(at) }
}

function readFlag(
  token: string,
  next: string | undefined,
  definitions: readonly FlagDefinition[],
  before: ReadonlyMap<string, FlagValue>,
): ParsedFlags | { readonly name: string; readonly value: FlagValue; readonly tookNext: boolean } {
  const [, name = '', assigned] = /^--?([^=]*)(?:=(.*))?$/s.exec(token) ?? []
  if (name === '' || name.startsWith('-')) return invalid(`bad flag syntax: ${token}`)
  const definition = definitions.find((known) => known.name === name)
  if (definition === undefined) {
    const isHelp = name === 'help' || name === 'h'
    return isHelp ? { kind: 'help' } : invalid(`flag provided but not defined: -${name}`)
  }
  const text = assigned ?? (definition.kind === 'boolean' ? 'true' : next)
  if (text === undefined) return invalid(`flag needs an argument: -${name}`)
  const value = parseValue(definition, text, before.get(name) ?? definition.value)
  if (value === undefined) return invalid(badValue(definition, text))
  return { name, value, tookNext: assigned === undefined && definition.kind !== 'boolean' }
}

function invalid(message: string): ParsedFlags {
  return { kind: 'invalid', message }
}

function parseValue({ kind }: FlagDefinition, text: string, before: FlagValue): FlagValue | undefined {
  switch (kind) {
    case 'text':
      return text
    case 'boolean':
      return parseBoolean(text)
    case 'integer':
      return parseInteger(text)
    case 'duration':
      return parseGoDuration(text)
    case 'list':
      // Tekton's task passes `-tag=` where there is none.
      return [...(Array.isArray(before) ? before : []), ...(text === '' ? [] : [text])]
  }
}

/** Go reads other bases by their prefix too; ids beyond 2^53 do not exist. */
function parseInteger(text: string): number | undefined {
  const [, sign, digits = ''] = /^([+-]?)(0x[0-9a-f]+|0b[01]+|0o?[0-7]*|[1-9]\d*)$/i.exec(text) ?? []
  if (digits === '') return undefined
  const isOldOctal = /^0[0-7]+$/.test(digits)
  const number = Number(isOldOctal ? `0o${digits.slice(1)}` : digits)
  if (!Number.isSafeInteger(number)) return undefined
  return sign === '-' ? 0 - number : number
}

function badValue({ name, kind }: FlagDefinition, text: string): string {
  const quoted = JSON.stringify(text)
  return kind === 'boolean'
    ? `invalid boolean value ${quoted} for -${name}: parse error`
    : `invalid value ${quoted} for flag -${name}: parse error`
}

const TYPE_WORDS = { text: ' string', boolean: '', integer: ' int', duration: ' duration', list: ' value' }

/** The text of `-h`, as Go prints it. */
export function usageText(definitions: readonly FlagDefinition[]): string {
  const lines = [...definitions]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, kind, usage, value }) =>
        `  -${name}${TYPE_WORDS[kind]}\n    \t${usage}${defaultText(kind, value)}\n`,
    )
  return `Usage of lifecycle:\n${lines.join('')}`
}

function defaultText(kind: FlagDefinition['kind'], value: FlagValue): string {
  if (typeof value === 'string') return value === '' ? '' : ` (default ${JSON.stringify(value)})`
  if (typeof value === 'object') return value.length === 0 ? '' : ` (default [${value.join(' ')}])`
  if (value === 0 || value === false) return ''
  return ` (default ${kind === 'duration' && typeof value === 'number' ? goDuration(value) : value})`
}
