/** What a TOML document holds, so that nothing is lost between reading and writing. */

/** An integer is a bigint and a float a number: `1` and `1.0` stay apart, and all of int64 fits. */
export type TomlValue = string | bigint | number | boolean | TomlDateTime | readonly TomlValue[] | TomlTable

/** A table; made without a prototype, so that `__proto__` is a key like any other. */
export interface TomlTable {
  readonly [key: string]: TomlValue
}

export type TomlDateTimeKind = 'offset-date-time' | 'local-date-time' | 'local-date' | 'local-time'

/** A date or time as it stood in the source. Its text is valid TOML and is written back as it is. */
export class TomlDateTime {
  readonly text: string
  readonly kind: TomlDateTimeKind

  constructor(text: string, kind: TomlDateTimeKind) {
    this.text = text
    this.kind = kind
  }

  /**
   * As Go's `json.Marshal` writes what BurntSushi's parser makes of it, in UTC: local times get `Z`, a time without
   * a date the year 0.
   */
  toGoText(): string {
    const text = this.text.replace(/^(\d{4}-\d{2}-\d{2})[Tt ]/, '$1T').replace(/z$/, 'Z')
    const clock = withSeconds(text)
    switch (this.kind) {
      case 'offset-date-time':
        return clock.replace(/[+-]00:00$/, 'Z')
      case 'local-date-time':
        return `${clock}Z`
      case 'local-date':
        return `${text}T00:00:00Z`
      case 'local-time':
        return `0000-01-01T${clock}Z`
    }
  }
}

/** Seconds may be left out (TOML 1.1); Go writes them, and no zeros at the end of a fraction. */
function withSeconds(text: string): string {
  return text.replace(
    /(\d{2}:\d{2})(:\d{2})?(\.\d+)?/,
    (_, minutes: string, seconds: string | undefined, fraction: string | undefined) => {
      const kept = (fraction ?? '').slice(0, 10).replace(/\.?0+$/, '')
      return `${minutes}${seconds ?? ':00'}${kept}`
    },
  )
}

/** Whether a value is a table, not an array or a date. */
export function isTable(value: unknown): value is TomlTable {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof TomlDateTime)
  )
}

/** A table from entries; of two with the same key the later one counts. */
export function tomlTable(entries: Iterable<readonly [string, TomlValue]>): TomlTable {
  const table: Record<string, TomlValue> = Object.create(null)
  for (const [key, value] of entries) table[key] = value
  return table
}

/** A table without entries. */
export const EMPTY_TABLE: TomlTable = Object.freeze(Object.create(null))
