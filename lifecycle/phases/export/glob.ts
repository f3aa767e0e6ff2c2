import { posix } from 'node:path'
import { SlipwayError } from '../../../core/error.ts'

/**
 * Compiles a pattern of a slice with the meaning of Go's `filepath.Match` (cnb-spec AS-2): `*` and `?` stay within one
 * component, a class `[a-z]` or `[^a-z]` takes one character, `\` takes the next character as it is. The whole path
 * must match. The pattern is cleaned first, as `filepath.Clean` does.
 * @throws SlipwayError `EXPORT_SLICE_PATTERN_INVALID`
 */
export function compileGlob(pattern: string): RegExp {
  const characters = [...clean(pattern)]
  let source = ''
  for (let at = 0; at < characters.length; ) {
    const character = characters[at] ?? ''
    if (character === '*') {
      // Neighbouring stars mean the same as one; as one they cannot make the search explode.
      while (characters[at] === '*') at++
      source += '[^/]*'
    } else if (character === '?') {
      source += '[^/]'
      at++
    } else if (character === '[') {
      const parsed = parseClass(pattern, characters, at + 1)
      source += parsed.source
      at = parsed.end
    } else {
      if (character === '\\') at++
      source += literal(charAt(pattern, characters, at))
      at++
    }
  }
  return new RegExp(`^${source}$`, 'su')
}

function clean(pattern: string): string {
  const normal = posix.normalize(pattern)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

function parseClass(pattern: string, characters: readonly string[], start: number) {
  let at = start
  const negated = characters[at] === '^'
  if (negated) at++
  const ranges: string[] = []
  for (let count = 0; count === 0 || characters[at] !== ']'; count++) {
    const low = classCharacter(pattern, characters, at)
    at = low.end
    let high = low
    if (characters[at] === '-') {
      high = classCharacter(pattern, characters, at + 1)
      at = high.end
    }
    // A range that is upside down matches nothing in Go, and is an error in a RegExp.
    if (codePoint(low.character) <= codePoint(high.character)) {
      ranges.push(`${literal(low.character)}-${literal(high.character)}`)
    }
  }
  // `[]` matches nothing and `[^]` anything.
  return { source: `[${negated ? '^' : ''}${ranges.join('')}]`, end: at + 1 }
}

function classCharacter(pattern: string, characters: readonly string[], at: number) {
  const character = charAt(pattern, characters, at)
  if (character === '-' || character === ']') throw invalid(pattern)
  if (character !== '\\') return { character, end: at + 1 }
  return { character: charAt(pattern, characters, at + 1), end: at + 2 }
}

function charAt(pattern: string, characters: readonly string[], at: number): string {
  const character = characters[at]
  if (character === undefined) throw invalid(pattern)
  return character
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}

function literal(character: string): string {
  return `\\u{${codePoint(character).toString(16)}}`
}

function invalid(pattern: string): SlipwayError {
  return new SlipwayError(
    'EXPORT_SLICE_PATTERN_INVALID',
    `syntax error in the slice path ${JSON.stringify(pattern)}`,
    {
      subject: pattern,
      hint: 'Close every [ with a ], and put something after every \\.',
      class: 'buildpack',
    },
  )
}
