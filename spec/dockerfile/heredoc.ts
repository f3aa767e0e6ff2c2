/** A file that stands in the Dockerfile itself, behind the instruction that names it (`RUN <<EOF`). */
export interface Heredoc {
  /** The line that ends it. */
  readonly name: string
  /** `<<-`: tabs at the head of its lines do not count. */
  readonly chomp: boolean
}

/** The heredocs that an instruction's argument opens, in order. */
export function heredocsOf(argument: string): readonly Heredoc[] {
  return (shellWords(argument) ?? []).flatMap((word) => {
    const match = /^\d*<<(-?)([^<]+)$/.exec(word)
    if (match === null) return []
    const name = unquoted(match[2] ?? '')
    return name === '' ? [] : [{ name, chomp: match[1] === '-' }]
  })
}

/** Words as a shell splits them, with their quotes; undefined where a quote is not closed. */
function shellWords(text: string): readonly string[] | undefined {
  const words: string[] = []
  let start: number | undefined
  for (let at = 0; at <= text.length; ) {
    const char = text.charAt(at)
    if (char === '' || /\s/.test(char)) {
      if (start !== undefined) words.push(text.slice(start, at))
      start = undefined
      at++
    } else {
      start ??= at
      const end = endOfToken(text, at)
      if (end === undefined) return undefined
      at = end
    }
  }
  return words
}

/** Behind a character, an escaped one, or what stands in quotes; undefined where they are not closed. */
function endOfToken(text: string, start: number): number | undefined {
  const first = text.charAt(start)
  if (first === '\\') return Math.min(start + 2, text.length)
  if (first !== '"' && first !== "'") return start + 1
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === first) return at + 1
    if (char === '\\' && first === '"') at++
  }
  return undefined
}

function unquoted(word: string): string {
  return word.replace(/\\(.)|["']/gs, '$1')
}
