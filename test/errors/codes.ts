import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { PROJECT } from '../support/clone.ts'

/** An error code as the sources raise it. */
export interface ErrorCodeEntry {
  readonly code: string
  /** Several where it is raised in several places. */
  readonly classes: readonly string[]
  /** Numbers that stand with it; without one, the phase's own counts. */
  readonly exitCodes: readonly number[]
  /** What it says, `…` for what is put in; absent where that comes from elsewhere. */
  readonly message?: string
  readonly hint?: string
}

/** How codes begin: with a room, or a part of one. */
const CODE =
  /'((?:ANALYZE|BUILD|BUILDER|BUILDERS|BUILDPACK|CACHE|CONFIG|CORE|DETECT|EXPORT|EXTEND|HTTP|LAUNCH|LIFECYCLE|NODE|OCI|PROGRAM|REBASE|RESTORE|RUN|RUNNER|SANDBOX|SOURCE|SPEC)_[A-Z0-9_]+)'/g

/** Names of variables that look alike. */
const VARIABLES = new Set([
  'HTTP_PROXY',
  'NODE_ENV',
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
  'SOURCE_DATE_EPOCH',
])

/** Every code in the sources, with what stands beside it. */
export function errorCodes(): readonly ErrorCodeEntry[] {
  const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
    cwd: PROJECT,
    encoding: 'utf8',
  })
  const files = sources
    .split('\n')
    .filter((file) => file !== '' && !/\.test\.ts$|\/testing\/|^test\//.test(file))
    .sort()
  const texts = files.map((file) => readFileSync(join(PROJECT, file), 'utf8'))
  const found = new Map<string, Raised[]>()
  for (const text of texts) {
    for (const raised of raisedIn(text, texts)) {
      found.set(raised.code, [...(found.get(raised.code) ?? []), raised])
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, places]) => entryOf(places))
}

interface Raised {
  readonly code: string
  readonly class: string | undefined
  readonly exitCode: number | undefined
  readonly message: string | undefined
  readonly hint: string | undefined
}

function raisedIn(source: string, sources: readonly string[]): Raised[] {
  return [...source.matchAll(CODE)].flatMap(({ 1: code = '', index }) => {
    if (VARIABLES.has(code)) return []
    const { callee, text } = expressionAround(source, index)
    // A helper says the rest where it makes the error.
    const helper =
      callee === undefined || callee === 'SlipwayError' ? '' : definitionOf(callee, source, sources)
    // One that is chosen first is raised once, elsewhere in its file.
    const chosen = /new SlipwayError\(\s*code,.{0,400}/s.exec(source)?.[0] ?? ''
    const behind = text.slice(text.indexOf(code) + code.length + 1)
    const classOf = (of: string) => /\bclass: '(\w+)'/.exec(of)?.[1]
    const exit = /\bexitCode: EXIT_CODES\.(\w+)/.exec(text)?.[1] as keyof typeof EXIT_CODES | undefined
    const number = /\bexitCode: (\d+)/.exec(text)?.[1]
    const isDefault = callee === 'SlipwayError' && !/\bclass\b|\.\.\./.test(text)
    return [
      {
        code,
        class: classOf(text) ?? classOf(helper) ?? (isDefault ? 'internal' : classOf(chosen)),
        exitCode: exit === undefined ? (number === undefined ? undefined : Number(number)) : EXIT_CODES[exit],
        message: literal(/^\s*,\s*/, behind) ?? literal(/\bmessage:\s*/, text),
        hint: literal(/\bhint:\s*/, text) ?? literal(/\bhint:\s*/, helper),
      },
    ]
  })
}

/** The innermost call or object that a place stands in, and what is called. */
function expressionAround(source: string, at: number): { callee: string | undefined; text: string } {
  let depth = 0
  let start = at
  while (start > 0) {
    const character = source[--start] ?? ''
    if (/[)}\]]/.test(character)) depth++
    else if (/[({[]/.test(character) && depth-- === 0) break
  }
  const callee = source[start] === '(' ? /(\w+)\s*$/.exec(source.slice(0, start))?.[1] : undefined
  return { callee, text: source.slice(start, endOf(source, start)) }
}

/** Where the bracket that opens at `start` is closed. Texts may hold brackets, in pairs. */
function endOf(source: string, start: number): number {
  let depth = 0
  for (let at = start; at < source.length; at++) {
    if (/[({[]/.test(source[at] ?? '')) depth++
    else if (/[)}\]]/.test(source[at] ?? '') && --depth === 0) return at + 1
  }
  return source.length
}

/** The text of a function of the same file, or of one that another file exports. */
function definitionOf(name: string, source: string, sources: readonly string[]): string {
  const own = new RegExp(`(?:function|const|class) ${name}\\b`)
  const exported = new RegExp(`export (?:async )?(?:function|const|class) ${name}\\b`)
  const start = source.search(own)
  const home = start >= 0 ? source : sources.find((text) => exported.test(text))
  if (home === undefined) return ''
  const from = start >= 0 ? start : home.search(exported)
  const end = home.indexOf('\n}', from)
  return home.slice(from, end < 0 ? undefined : end)
}

/** The text behind what `before` matches. */
function literal(before: RegExp, text: string): string | undefined {
  const found = before.exec(text)
  if (found === null) return undefined
  const rest = text.slice(found.index + found[0].length)
  const [, quote, body] = /^(['"`])((?:\\.|(?!\1)[^\\])*)\1/s.exec(rest) ?? []
  if (quote === undefined || body === undefined) return undefined
  // A single word is a part of a message that is put together elsewhere.
  if (!body.includes(' ')) return undefined
  return body
    .replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
    .replace(/\$\{.*/s, '…')
    .replace(/\\(['"`])/g, '$1')
}

function entryOf(places: readonly Raised[]): ErrorCodeEntry {
  const [first] = places
  const message = places.find((place) => place.message !== undefined)?.message
  const hint = places.find((place) => place.hint !== undefined)?.hint
  return {
    code: first?.code ?? '',
    classes: distinct(places.map((place) => place.class)),
    exitCodes: distinct(places.map((place) => place.exitCode)),
    ...(message === undefined ? {} : { message }),
    ...(hint === undefined ? {} : { hint }),
  }
}

function distinct<T>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value) => value !== undefined))].sort() as T[]
}
