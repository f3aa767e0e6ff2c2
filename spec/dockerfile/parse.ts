import { SlipwayError } from '../../core/error.ts'
import type { FileSource } from '../files/source.ts'
import { directivesOf } from './directives.ts'
import { type Heredoc, heredocsOf } from './heredoc.ts'

/** One instruction of a Dockerfile, its continuation lines joined and comments taken out. */
export interface Instruction {
  /** In capitals: `FROM`. */
  readonly name: string
  /** What stands behind the name and its flags (`--platform=…`), without blanks around it. */
  readonly argument: string
  /** Where it begins, counted from 1. */
  readonly line: number
}

const INSTRUCTIONS: ReadonlySet<string> = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
)

/** They may bring files in heredocs; `ONBUILD` for the instruction behind it. */
const WITH_HEREDOCS: ReadonlySet<string> = new Set(['ADD', 'COPY', 'RUN'])

const WITHOUT_ARGUMENT: ReadonlySet<string> = new Set(['CMD', 'ENTRYPOINT', 'RUN'])

/**
 * Splits a Dockerfile into instructions as BuildKit does, as far as deciding what an extension may do needs it: parser
 * directives, comments, line continuation, heredocs. What instructions other than FROM and ARG say is not looked into.
 * Takes time in proportion to the text.
 * @throws SlipwayError `SPEC_DOCKERFILE_INVALID`
 */
export function parseDockerfile(text: string, source: FileSource): readonly Instruction[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  if (lines.at(-1) === '') lines.pop()
  const { escapeToken, invalid } = directivesOf(lines)
  if (invalid !== undefined) throw dockerfileInvalid(invalid.line, invalid.reason, source)
  const found: Instruction[] = []
  for (let at = 0; at < lines.length; ) {
    const { text: joined, next } = logicalLine(lines, at, escapeToken)
    const line = at + 1
    at = next
    if (joined === undefined) continue
    const instruction = instructionOf(joined, line, source)
    found.push(instruction)
    for (const heredoc of heredocsIn(instruction)) {
      at = endOf(heredoc, lines, at) ?? fail(dockerfileInvalid(line, 'unterminated heredoc', source))
    }
  }
  if (found.length === 0) throw dockerfileInvalid(1, 'file with no instructions', source)
  return found
}

/** The error for a line of a Dockerfile. */
export function dockerfileInvalid(line: number, reason: string, source: FileSource): SlipwayError {
  return new SlipwayError('SPEC_DOCKERFILE_INVALID', `${source.file}:${line}: ${reason}`, {
    subject: source.file,
    class: source.class ?? 'buildpack',
  })
}

function fail(error: SlipwayError): never {
  throw error
}

/** The line at `start` with those that continue it, and where the next one begins; no text where it is blank or a comment. */
function logicalLine(
  lines: readonly string[],
  start: number,
  escapeToken: string,
): { readonly text?: string; readonly next: number } {
  const first = (lines[start] ?? '').trim()
  if (first === '' || first.startsWith('#')) return { next: start + 1 }
  const parts: string[] = []
  let next = start
  for (let continues = true; continues && next < lines.length; next++) {
    const line = trimmedEnd(lines[next] ?? '', '\r')
    const trimmed = line.trimStart()
    // A comment or an empty line does not end what goes on behind it.
    if (next > start && (trimmed === '' || trimmed.startsWith('#'))) continue
    const part = withoutContinuation(next === start ? trimmed : line, escapeToken)
    parts.push(part ?? (next === start ? trimmed : line))
    continues = part !== undefined
  }
  return { text: parts.join(''), next }
}

/** The line up to the escape character at its end; undefined where there is none, or where it is escaped itself. */
function withoutContinuation(line: string, escapeToken: string): string | undefined {
  const kept = trimmedEnd(line, ' \t')
  if (!kept.endsWith(escapeToken) || kept.endsWith(escapeToken + escapeToken)) return undefined
  return kept.slice(0, -1)
}

/** Without some characters at the end. An expression would take a time that grows with the square of a line's blanks. */
function trimmedEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

function instructionOf(text: string, line: number, source: FileSource): Instruction {
  const [word = '', rest = ''] = splitWord(text.trim())
  const name = word.toUpperCase()
  if (!INSTRUCTIONS.has(name)) throw dockerfileInvalid(line, `unknown instruction: ${word}`, source)
  const argument = withoutFlags(rest)
  if (argument === '' && !WITHOUT_ARGUMENT.has(name)) {
    throw dockerfileInvalid(line, `${name} requires an argument`, source)
  }
  return { name, argument, line }
}

/** The first word, and what follows the blanks behind it. */
function splitWord(text: string): readonly [word: string, rest: string] {
  const end = text.search(/\s/)
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end).trimStart()]
}

function withoutFlags(text: string): string {
  let rest = text
  while (rest.startsWith('--')) {
    const [flag, behind] = splitWord(rest)
    rest = behind
    if (flag === '--') break
  }
  return rest
}

function heredocsIn({ name, argument }: Instruction): readonly Heredoc[] {
  const [inner, rest] = name === 'ONBUILD' ? splitWord(argument) : [name, argument]
  if (!WITH_HEREDOCS.has(inner.toUpperCase()) || !rest.includes('<<') || isExecForm(rest)) return []
  return heredocsOf(rest)
}

/** `["a", "b"]` is taken as it is. */
function isExecForm(argument: string): boolean {
  if (!argument.startsWith('[')) return false
  try {
    const value: unknown = JSON.parse(argument)
    return Array.isArray(value) && value.every((item) => typeof item === 'string')
  } catch {
    return false
  }
}

/** Where the lines behind a heredoc begin; undefined where it has no end. */
function endOf({ name, chomp }: Heredoc, lines: readonly string[], start: number): number | undefined {
  for (let at = start; at < lines.length; at++) {
    const line = trimmedEnd(lines[at] ?? '', '\r')
    if ((chomp ? line.replace(/^\t+/, '') : line) === name) return at + 1
  }
  return undefined
}
