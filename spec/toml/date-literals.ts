import { TomlDateTime, type TomlDateTimeKind } from './value.ts'

export interface DateLiteral {
  /** Index of its first character in the document. */
  readonly start: number
  readonly value: TomlDateTime
}

const DATE_TIME =
  /(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)([Zz]|[+-]\d{2}:\d{2})?)?|\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?/y

/**
 * Where dates and times stand in a document that is known to be valid TOML, in the order of the text. It only tells
 * strings, comments, keys and values apart: checking is the parser's work.
 */
export function dateLiterals(text: string): DateLiteral[] {
  const scan: Scan = { text, open: [], inValue: false, found: [] }
  for (let at = 0; at < text.length; ) at = next(scan, at)
  return scan.found
}

interface Scan {
  readonly text: string
  /** Open brackets of the value being read; empty where a key or a header is expected next. */
  readonly open: string[]
  inValue: boolean
  readonly found: DateLiteral[]
}

/** Reads what stands at an index and gives the index after it. */
function next(scan: Scan, at: number): number {
  const { text } = scan
  const c = text[at] as string
  if (c === '#') return lineEnd(text, at)
  if (c === '"' || c === "'") return stringEnd(text, at)
  return scan.inValue ? nextInValue(scan, at, c) : nextInKey(scan, at, c)
}

function nextInKey(scan: Scan, at: number, c: string): number {
  if (c === '[' && scan.open.length === 0) return headerEnd(scan.text, at)
  if (c === '}') scan.open.pop()
  // After the brace of an empty inline table the value around it goes on.
  if (c === '=' || c === '}') scan.inValue = true
  return at + 1
}

function nextInValue(scan: Scan, at: number, c: string): number {
  const { text, open, found } = scan
  if (c === '[' || c === '{') {
    open.push(c)
    scan.inValue = c === '['
  } else if (c === ']' || c === '}') open.pop()
  else if (c === ',') scan.inValue = open.at(-1) === '['
  else if (c === '\n') scan.inValue = open.length > 0
  else if (!/\s/.test(c)) {
    const literal = dateAt(text, at)
    if (literal === undefined) return tokenEnd(text, at)
    found.push(literal)
    return at + literal.value.text.length
  }
  return at + 1
}

function dateAt(text: string, start: number): DateLiteral | undefined {
  DATE_TIME.lastIndex = start
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [literal, date, time, offset] = match
  return { start, value: new TomlDateTime(literal, kindOf(date, time, offset)) }
}

function kindOf(
  date: string | undefined,
  time: string | undefined,
  offset: string | undefined,
): TomlDateTimeKind {
  if (date === undefined) return 'local-time'
  if (time === undefined) return 'local-date'
  return offset === undefined ? 'local-date-time' : 'offset-date-time'
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

function headerEnd(text: string, from: number): number {
  let i = from
  while (i < text.length && text[i] !== '\n' && text[i] !== '#') {
    i = text[i] === '"' || text[i] === "'" ? stringEnd(text, i) : i + 1
  }
  return i
}

function tokenEnd(text: string, from: number): number {
  let i = from
  while (i < text.length && !/[\s,\]}#]/.test(text[i] as string)) i++
  return Math.max(i, from + 1)
}

/** The index after a string that begins at `from`, whichever of the four kinds it is. */
function stringEnd(text: string, from: number): number {
  const quote = text[from] as string
  const isLong = text.startsWith(quote.repeat(3), from)
  const escapes = quote === '"'
  let i = from + (isLong ? 3 : 1)
  while (i < text.length) {
    if (escapes && text[i] === '\\') i += 2
    else if (!isLong && text[i] === quote) return i + 1
    else if (isLong && text.startsWith(quote.repeat(3), i)) return closingQuotesEnd(text, i, quote)
    else i++
  }
  return text.length
}

/** Up to two quotes may stand directly before the closing three. */
function closingQuotesEnd(text: string, at: number, quote: string): number {
  let end = at + 3
  while (end < at + 5 && text[end] === quote) end++
  return end
}
