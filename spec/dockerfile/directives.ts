/** What the parser directives at the head of a Dockerfile say (`# escape=…`). */
export interface Directives {
  /** What continues a line: a backslash or a backtick. */
  readonly escapeToken: string
  readonly invalid?: { readonly line: number; readonly reason: string }
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/
const KNOWN: ReadonlySet<string> = new Set(['escape', 'syntax', 'check'])
const DEFAULT_ESCAPE = '\\'

/** Reads them up to the first line that is none; each may stand once. */
export function directivesOf(lines: readonly string[]): Directives {
  const seen = new Map<string, string>()
  const result = () => ({ escapeToken: seen.get('escape') ?? DEFAULT_ESCAPE })
  for (const [index, text] of lines.entries()) {
    const match = DIRECTIVE.exec(text.trim())
    const name = match?.[1]?.toLowerCase() ?? ''
    const value = match?.[2] ?? ''
    if (!KNOWN.has(name)) break
    const invalid = (reason: string) => ({ ...result(), invalid: { line: index + 1, reason } })
    if (seen.has(name)) return invalid(`only one ${name} parser directive can be used`)
    if (name === 'escape' && value !== '\\' && value !== '`') {
      return invalid(`invalid escape token '${value}' does not match \` or \\`)
    }
    seen.set(name, value)
  }
  return result()
}
