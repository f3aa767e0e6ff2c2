import { SECTIONS } from './ids.ts'
import { type Check, type Gap, isCheck, type Row, variantsOf } from './row.ts'

const GAPS: Readonly<Record<Gap['gap'], string>> = {
  later: 'not there yet',
  elsewhere: 'held by other tests',
  none: 'nothing to observe',
  open: 'not checked yet',
}

/** docs/conformance.md: what is checked, for which versions, and why the rest is not. */
export function conformanceDocument(table: readonly Row[]): string {
  const ids = SECTIONS.flatMap((section) => section.ids)
  const rowsOf = (id: string) => table.filter((row) => row.id === id)
  const checks = table.filter(isCheck)
  const covered = ids.filter((id) => rowsOf(id).some(isCheck))
  const gapsOf = (gap: Gap['gap']) =>
    ids.filter((id) => rowsOf(id).every((row) => !isCheck(row) && row.gap === gap)).length
  const runs = checks.reduce((sum, check) => sum + variantsOf(check).length, 0)
  return [
    '# Conformance',
    '',
    'What the specifications ask for, and the Go lifecycle does beyond them, one line per requirement. Each check drives the',
    'bundled lifecycle or the launcher as processes, with small buildpacks, directories and a registry, once for each of the',
    'versions of the Platform (P) and Buildpack API (B) that stand beside it. Whether a check would notice is tested with',
    'faults made on purpose: [test/mutants](../test/mutants/mutants.ts). Made from the table in',
    '[test/conformance](../test/conformance/table.ts); a test fails when it is out of date.',
    '',
    '| | |',
    '|---|---|',
    `| requirements | ${ids.length} |`,
    `| checked | ${covered.length} |`,
    ...(Object.keys(GAPS) as Gap['gap'][]).map((gap) => `| ${GAPS[gap]} | ${gapsOf(gap)} |`),
    `| checks | ${checks.length} |`,
    `| runs, each with one version of each API | ${runs} |`,
    '',
    ...SECTIONS.flatMap(({ section, title, ids: own }) => [
      `## ${section} ${title}`,
      '',
      '| id | checked | versions |',
      '|---|---|---|',
      ...own.flatMap(rowsOf).map(line),
      '',
    ]),
  ].join('\n')
}

function line(row: Row): string {
  if (!isCheck(row)) return `| ${row.id} | *${GAPS[row.gap]}:* ${escaped(row.reason)} | |`
  return `| ${row.id} | ${escaped(row.title)} | ${versionsOf(row)} |`
}

function versionsOf(check: Check): string {
  const variants = variantsOf(check)
  const platforms = new Set(variants.map(({ platformApi }) => platformApi))
  const buildpacks = new Set(variants.map(({ buildpackApi }) => buildpackApi))
  return `P ${range([...platforms])}${buildpacks.size > 1 ? `, B ${range([...buildpacks])}` : ''}`
}

const minorOf = (version: string): number => Number(version.split('.')[1])

/** From the first to the last; the tables leave out none between. */
function range(versions: readonly string[]): string {
  const sorted = [...versions].sort((a, b) => minorOf(a) - minorOf(b))
  return sorted.length === 1 ? `${sorted[0]}` : `${sorted[0]}–${sorted.at(-1)}`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')
