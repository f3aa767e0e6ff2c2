import type { Aim, Fact, Row, Who } from './case.ts'
import { type Measured, median } from './measure.ts'

/** The tables of bench/results.md. */
export function report(results: readonly (Row | Fact)[]): string {
  const rows = results.filter((result) => 'samples' in result)
  const facts = results.filter((result) => 'ours' in result)
  return [
    ...(rows.length === 0 ? [] : [timesTable(rows), '', workTable(rows)]),
    ...(facts.length === 0 ? [] : ['', factsTable(facts)]),
  ].join('\n')
}

/** What fell short of its aim, for people; empty where nothing did. */
export function shortfalls(results: readonly (Row | Fact)[]): readonly string[] {
  return results.flatMap((result) => {
    if ('ours' in result) return result.isMet ? [] : [`${result.title}: ${result.ours}, aim ${result.aim}`]
    const { aim, title, peak } = result
    const reached = ratio(result)
    const isMet = reached === undefined || aim.kind === 'none' || meets(aim, reached)
    const memory = most(result, ({ peak }) => peak)
    return [
      ...(isMet ? [] : [`${title}: ${reached?.toFixed(2)}, aim ${aimText(aim)}`]),
      ...(peak === undefined || memory === undefined || memory < peak
        ? []
        : [`${title}: ${memory.toFixed(0)} MB of memory, aim under ${peak}`]),
    ]
  })
}

function timesTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const reached = ratio(row)
    const cells = [
      row.title,
      seconds(row.samples.get(oursOf(row))),
      seconds(row.samples.get(otherOf(row))),
      reached === undefined ? '' : reached.toFixed(2),
      aimText(row.aim),
    ]
    return `| ${cells.join(' | ')} |`
  })
  const head = '| case | ours, s (least–most) | reference or floor, s | ratio | aim |\n|---|---|---|---|---|'
  return [
    head,
    ...lines,
    ...rows.flatMap(({ notes, title }) => (notes ?? []).map((note) => `\n${title}: ${note}`)),
  ].join('\n')
}

function workTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const pair = (of: (sample: Measured) => number, digits = 0) =>
      [oursOf(row), otherOf(row)]
        .map((who) => (who === 'floor' ? undefined : row.samples.get(who)))
        .map((samples) => (samples === undefined ? '–' : median(samples.map(of)).toFixed(digits)))
        .join(' / ')
    const memory = `${most(row, ({ peak }) => peak)?.toFixed(0)}${row.peak === undefined ? '' : ` (< ${row.peak})`}`
    const cells = [
      row.title,
      memory,
      pair(({ peak }) => peak),
      pair(({ cpu }) => cpu, 2),
      pair(({ read }) => read),
      pair(({ written }) => written),
      pair(({ requests }) => requests),
      quietness(row),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| ours / reference | most memory of ours, MB (aim) | memory, MB | CPU, s | read, MB | written, MB | requests | others’ cores |',
    '|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function factsTable(facts: readonly Fact[]): string {
  return [
    '| counted | ours | reference | aim | met |',
    '|---|---|---|---|---|',
    ...facts.map(
      ({ title, ours, reference = '–', aim, isMet }) =>
        `| ${title} | ${ours} | ${reference} | ${aim} | ${isMet ? 'yes' : 'no'} |`,
    ),
  ].join('\n')
}

/** How many cores others kept busy, as a mean over all runs of a row. */
function quietness({ samples }: Row): string {
  const all = [...samples.values()].flat()
  const total = (of: (sample: Measured) => number) => all.reduce((sum, sample) => sum + of(sample), 0)
  return (total(({ others }) => others) / total(({ wall }) => wall)).toFixed(2)
}

function oursOf({ aim }: Row): Who {
  return aim.kind === 'faster' ? aim.who : 'ours'
}

function otherOf({ aim }: Row): Who {
  return aim.kind === 'floor' ? 'floor' : 'reference'
}

/** Reference over ours, or ours over the floor; undefined where one of them is missing. */
export function ratio(row: Row): number | undefined {
  const ours = row.samples.get(oursOf(row))
  const other = row.samples.get(otherOf(row))
  if (ours === undefined || other === undefined) return undefined
  const [a, b] = [ours, other].map((samples) => median(samples.map(({ wall }) => wall))) as [number, number]
  return row.aim.kind === 'floor' ? a / b : b / a
}

export function meets(aim: Aim, reached: number): boolean {
  if (aim.kind === 'none') return true
  return aim.kind === 'floor' ? reached <= aim.times : reached >= aim.times
}

function aimText(aim: Aim): string {
  if (aim.kind === 'none') return ''
  return aim.kind === 'floor' ? `≤ ${aim.times}` : `≥ ${aim.times}`
}

function most(row: Row, of: (sample: Measured) => number): number | undefined {
  const samples = row.samples.get(oursOf(row))
  return samples === undefined ? undefined : Math.max(...samples.map(of))
}

function seconds(samples: readonly Measured[] | undefined): string {
  if (samples === undefined) return '–'
  const walls = samples.map(({ wall }) => wall)
  const [least, most] = [Math.min(...walls), Math.max(...walls)]
  return `${median(walls).toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`
}
