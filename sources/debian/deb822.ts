/** The stanza format of Debian's control files, indices and *.sources (deb822(5)). Pure. */

export type Stanza = ReadonlyMap<string, string>

/**
 * Fields of one stanza, by lower-case name. Continuation lines are joined with newlines, their leading blank removed;
 * `.` alone stays. Comment lines are dropped. A line that is no field is dropped too.
 */
export function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>()
  let last: string | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ''}\n${line.slice(1)}`)
      continue
    }
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    last = line.slice(0, colon).toLowerCase()
    fields.set(last, line.slice(colon + 1).trim())
  }
  return fields
}

/** All stanzas of a text: they are parted by blank lines. */
export function parseStanzas(text: string): readonly Stanza[] {
  return text
    .replaceAll('\r\n', '\n')
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0)
}
