/** How often each step was hit. */
export interface Tally {
  hit(where: string, steps: readonly string[]): void
  count(where: string, step: string): number
  /** A table, a line for each place and step. */
  lines(): readonly string[]
}

export function tally(): Tally {
  const counts = new Map<string, number>()
  const key = (where: string, step: string) => `${where}\0${step}`
  return {
    hit: (where, steps) => {
      for (const step of steps) counts.set(key(where, step), (counts.get(key(where, step)) ?? 0) + 1)
    },
    count: (where, step) => counts.get(key(where, step)) ?? 0,
    lines: () => {
      const rows = [...counts]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, count]) => [...name.split('\0'), String(count)])
      const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
      return rows.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '))
    },
  }
}
