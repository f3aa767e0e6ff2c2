/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.3): a scheme and its parameters, names in lower case. */
export interface Challenge {
  /** Lower case: `basic`, `bearer`, `negotiate` … */
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y
const SPACE = /[ \t]*/y
const SEPARATORS = /[ \t,]*/y

/**
 * Reads the challenges of one header line, in order. A tokenizer, for quoted strings hold commas and equals signs, and
 * several challenges share a line. What cannot be read ends the reading; what stood before it is kept.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = []
  let at = 0
  const take = (expression: RegExp): string | undefined => {
    expression.lastIndex = at
    const match = expression.exec(header)
    if (match === null) return undefined
    at += match[0].length
    return match[0]
  }

  /** `name = value`, or undefined with the position unchanged: then the token is the scheme of the next challenge. */
  const parameter = (): [string, string] | undefined => {
    const start = at
    const name = take(TOKEN)
    take(SPACE)
    if (name !== undefined && header[at] === '=') {
      at++
      take(SPACE)
      const value = header[at] === '"' ? quoted() : take(TOKEN)
      if (value !== undefined) return [name.toLowerCase(), value]
    }
    at = start
    return undefined
  }

  const quoted = (): string | undefined => {
    let value = ''
    for (at++; at < header.length; at++) {
      const character = header[at]
      if (character === '"') {
        at++
        return value
      }
      if (character === '\\') at++
      value += header[at] ?? ''
    }
    return undefined
  }

  while (at < header.length) {
    take(SEPARATORS)
    const scheme = take(TOKEN)
    if (scheme === undefined) break
    const parameters: Record<string, string> = {}
    challenges.push({ scheme: scheme.toLowerCase(), parameters })
    if (take(SPACE) === '') continue
    const start = at
    let found = parameter()
    if (found === undefined) {
      at = start
      take(TOKEN68)
      continue
    }
    while (found !== undefined) {
      parameters[found[0]] ??= found[1]
      take(SEPARATORS)
      found = parameter()
    }
  }
  return challenges
}

/** What a registry asks for. */
export type Demand =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string }

/** The first challenge of a kind that is understood; others (Negotiate …) may come before it. */
export function demandOf(headers: readonly string[]): Demand | undefined {
  for (const { scheme, parameters } of headers.flatMap(parseChallenges)) {
    if (scheme === 'basic') return { kind: 'basic' }
    const { realm, service, scope } = parameters
    if (scheme !== 'bearer' || realm === undefined || realm === '') continue
    return {
      kind: 'bearer',
      realm,
      ...(service === undefined ? {} : { service }),
      ...(scope === undefined || scope === '' ? {} : { scope }),
    }
  }
  return undefined
}
