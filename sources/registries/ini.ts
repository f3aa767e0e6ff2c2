/** The two dialects of INI files that package managers use, as lists of entries; no meaning is given to them here. */

export interface IniEntry {
  /** Section in `[…]` above it, empty before the first. */
  readonly section: string
  readonly key: string
  readonly value: string
}

/**
 * .npmrc as npm's ini package reads it: `;` and `#` comments, values in double or single quotes, `\` escapes, `key[]` for
 * arrays, a bare key means `true`.
 */
export function parseNpmIni(text: string): IniEntry[] {
  const entries: IniEntry[] = []
  let section = ''
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n|\r/)) {
    const trimmed = line.trim()
    if (trimmed === '' || /^[;#]/.test(trimmed)) continue
    const header = /^\[([^\]]*)\]\s*$/.exec(trimmed)
    if (header !== null) {
      section = header[1] ?? ''
      continue
    }
    const at = trimmed.indexOf('=')
    const key = unquote(at < 0 ? trimmed : trimmed.slice(0, at))
    if (key !== '') entries.push({ section, key, value: at < 0 ? 'true' : unquote(trimmed.slice(at + 1)) })
  }
  return entries
}

function unquote(text: string): string {
  const value = text.trim()
  if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) {
    try {
      const parsed: unknown = JSON.parse(value)
      if (typeof parsed === 'string') return parsed
    } catch {
      // Not JSON: taken as it stands, as npm does.
    }
    return value
  }
  if (value.length > 1 && value.startsWith("'") && value.endsWith("'")) return value.slice(1, -1)
  let out = ''
  for (let i = 0; i < value.length; i++) {
    const char = value[i] ?? ''
    if (char === '\\' && /[\\;#]/.test(value[i + 1] ?? '')) out += value[++i]
    else if (char === ';' || char === '#') break
    else out += char
  }
  return out.trim()
}

/** pip.conf as Python's configparser reads it: `=` or `:`, comments on their own line, indented lines continue a value. */
export function parsePythonIni(text: string): IniEntry[] {
  const entries: IniEntry[] = []
  let section = ''
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n|\r/)) {
    const trimmed = line.trim()
    if (trimmed === '' || /^[;#]/.test(trimmed)) continue
    const header = /^\[([^\]]+)\]/.exec(line)
    if (header !== null) {
      section = header[1] ?? ''
      continue
    }
    const last = entries.at(-1)
    if (/^\s/.test(line) && last !== undefined && last.section === section) {
      entries[entries.length - 1] = { ...last, value: `${last.value}\n${trimmed}`.trim() }
      continue
    }
    const pair = /^([^=:]+)[=:](.*)$/.exec(trimmed)
    if (pair !== null) entries.push({ section, key: (pair[1] ?? '').trim(), value: (pair[2] ?? '').trim() })
  }
  return entries
}
