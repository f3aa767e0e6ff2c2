/** Sizes, durations and columns as people read them. Pure functions over plain values. */

/** Bytes in decimal units, as registries and `ls` of image tools show them: `43.1 MB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = -1
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`
}

/** `8 ms`, `1.24 s`, `2 min 5 s`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** Rows as aligned columns, two spaces between; the last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

const ESCAPE = 0x1b

/**
 * Text from elsewhere made safe for a terminal: tabs, newlines and colour sequences (`ESC [ digits m`) pass, every other
 * control character is shown instead of obeyed.
 */
export function printable(text: string): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const color = code === ESCAPE ? colorSequence(text, i) : 0
    if (color > 0) {
      out += text.slice(i, i + color)
      i += color - 1
    } else if (code === ESCAPE) out += '␛'
    else if ((code < 0x20 && code !== 0x09 && code !== 0x0a) || (code >= 0x7f && code < 0xa0)) out += '\ufffd'
    else out += text[i]
  }
  return out
}

/** Length of the colour sequence that begins at `start`, 0 where there is none. */
function colorSequence(text: string, start: number): number {
  if (text[start + 1] !== '[') return 0
  let end = start + 2
  while (end < text.length && '0123456789;'.includes(text.charAt(end))) end++
  return text[end] === 'm' ? end + 1 - start : 0
}
