import { parse, TomlDate, TomlError } from 'smol-toml'
import { type ErrorClass, SlipwayError } from '../../core/error.ts'
import { dateLiterals } from './date-literals.ts'
import { TomlDateTime, type TomlTable, type TomlValue } from './value.ts'

export interface TomlSource {
  /** For error messages: the path of the file, or what the text is. */
  readonly file: string
  /** Characters the text may have; 16 Mi when absent. */
  readonly maxLength?: number
  /** Whose failure it is when the text is wrong; `user` when absent. */
  readonly class?: ErrorClass
}

const DEFAULT_MAX_LENGTH = 16 << 20
/** Levels of inline arrays and tables. Headers and dotted keys are capped by {@link MAX_DEPTH} as well. */
const MAX_DEPTH = 100

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/**
 * Parses a TOML 1.1 document. Integers come as bigint, floats as number, dates as {@link TomlDateTime} with their text.
 * @throws SlipwayError `SPEC_TOML_SYNTAX` with file, line, column and the line's text; `SPEC_FILE_TOO_LARGE`.
 */
export function parseToml(text: string, source: TomlSource): TomlTable {
  const max = source.maxLength ?? DEFAULT_MAX_LENGTH
  if (text.length > max) {
    throw new SlipwayError('SPEC_FILE_TOO_LARGE', `${source.file} has more than ${max} characters`, {
      subject: source.file,
      class: source.class ?? 'user',
    })
  }
  const read = (document: string) => parseRaw(document, source)
  const first = read(text)
  const seen = { dates: 0 }
  const table = convertTable(first, source, 0, () => {
    seen.dates++
    return undefined
  })
  if (seen.dates === 0) return table
  return withDateTexts(text, read, source)
}

type RawTable = ReturnType<typeof parse>

function parseRaw(text: string, source: TomlSource): RawTable {
  try {
    return parse(text, { integersAsBigInt: true, maxDepth: MAX_DEPTH }) as RawTable
  } catch (error) {
    throw syntaxError(error, text, source)
  }
}

/**
 * smol-toml's dates lose digits and separators. In a document that it has accepted, every date is replaced with one
 * that counts (so many milliseconds since 1970), and in the second result a date's time is the index of its text.
 */
function withDateTexts(text: string, read: (document: string) => RawTable, source: TomlSource): TomlTable {
  const literals = dateLiterals(text)
  let numbered = ''
  let from = 0
  literals.forEach((literal, index) => {
    numbered += text.slice(from, literal.start) + new Date(index).toISOString()
    from = literal.start + literal.value.text.length
  })
  numbered += text.slice(from)
  return convertTable(read(numbered), source, 0, (date) => literals[date.getTime()]?.value)
}

type FindDate = (date: TomlDate) => TomlDateTime | undefined

function convertTable(raw: object, source: TomlSource, depth: number, findDate: FindDate): TomlTable {
  if (depth > MAX_DEPTH) throw tooDeep(source)
  const table: Record<string, TomlValue> = Object.create(null)
  for (const [key, value] of Object.entries(raw)) table[key] = convert(value, source, depth + 1, findDate)
  return table
}

function convert(raw: unknown, source: TomlSource, depth: number, findDate: FindDate): TomlValue {
  if (depth > MAX_DEPTH) throw tooDeep(source)
  if (typeof raw === 'string' || typeof raw === 'boolean' || typeof raw === 'number') return raw
  if (typeof raw === 'bigint') return int64(raw, source)
  if (raw instanceof TomlDate) return findDate(raw) ?? new TomlDateTime(raw.toISOString(), 'offset-date-time')
  if (Array.isArray(raw)) return raw.map((item: unknown) => convert(item, source, depth + 1, findDate))
  return convertTable(raw as object, source, depth, findDate)
}

function int64(value: bigint, source: TomlSource): bigint {
  if (value >= INT64_MIN && value <= INT64_MAX) return value
  throw new SlipwayError('SPEC_TOML_SYNTAX', `${source.file}: an integer does not fit into 64 bits`, {
    subject: source.file,
    class: source.class ?? 'user',
  })
}

function tooDeep(source: TomlSource): SlipwayError {
  return new SlipwayError('SPEC_TOML_SYNTAX', `${source.file}: nested more than ${MAX_DEPTH} levels deep`, {
    subject: source.file,
    class: source.class ?? 'user',
  })
}

const LONGEST_LINE_SHOWN = 120

/** What prose and other formats most often fail with, in the words that suites for the reference look for. */
function afterBareKey(line: string): string | undefined {
  const [, got] = /^[\w-]+[ \t]+([^\s.=#])/u.exec(line) ?? []
  return got === undefined ? undefined : `expected '.' or '=', but got '${got}' instead`
}

function syntaxError(error: unknown, text: string, source: TomlSource): SlipwayError {
  if (!(error instanceof TomlError)) {
    const reason = error instanceof RangeError ? 'nested too deeply' : 'not readable as TOML'
    return new SlipwayError('SPEC_TOML_SYNTAX', `${source.file}: ${reason}`, {
      subject: source.file,
      class: source.class ?? 'user',
      cause: error,
    })
  }
  const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
  const line = (text.split(/\r?\n/)[error.line - 1] ?? '').trim()
  const shown = line.length > LONGEST_LINE_SHOWN ? `${line.slice(0, LONGEST_LINE_SHOWN)}…` : line
  const place = `${source.file}:${error.line}:${error.column}`
  return new SlipwayError(
    'SPEC_TOML_SYNTAX',
    `toml: line ${error.line}: ${afterBareKey(line) ?? reason} (${place}${shown === '' ? '' : `: ${shown}`})`,
    {
      subject: source.file,
      hint: 'Look at that line: TOML is key = value, [table] and [[array of tables]], with text in quotes.',
      class: source.class ?? 'user',
    },
  )
}
