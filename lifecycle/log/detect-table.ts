import type { BuildpackRef, Event } from '../../core/event.ts'
import { formatModuleRef } from '../../spec/files/module-ref.ts'

/** What one buildpack said in detection, and why as far as that is known. */
export interface DetectAnswer {
  readonly buildpack: BuildpackRef
  readonly answer: 'yes' | 'no' | 'error' | 'left out'
  readonly reason: string
}

/**
 * Gathers from the events of a detection what each buildpack said, in the order of its first appearance. A buildpack that
 * said no gives its reason in the last line it printed, as is the custom.
 */
export function detectAnswers(events: readonly Event[]): readonly DetectAnswer[] {
  const answers = new Map<string, DetectAnswer>()
  const lastLines = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'detect-output') {
      lastLines.set(formatModuleRef(event.buildpack), lastLine(event.output))
    } else if (event.type === 'detect-skipped') {
      answers.set(formatModuleRef(event.buildpack), {
        buildpack: event.buildpack,
        answer: 'left out',
        reason: event.reason,
      })
    } else if (event.type === 'detect-result') {
      const name = formatModuleRef(event.buildpack)
      answers.set(name, answerOf(event, lastLines.get(name) ?? ''))
    } else if (event.type === 'detect-trial-verdict' && event.buildpack !== undefined) {
      const { buildpack, reason } = event
      answers.set(formatModuleRef(buildpack), {
        buildpack,
        answer: 'yes',
        reason: `but ${planReason(reason)}`,
      })
    }
  }
  return [...answers.values()]
}

function answerOf(event: Extract<Event, { readonly type: 'detect-result' }>, said: string): DetectAnswer {
  const { buildpack } = event
  switch (event.verdict) {
    case 'pass':
      return { buildpack, answer: 'yes', reason: '' }
    case 'fail':
    case 'skip':
      return event.reason === undefined
        ? { buildpack, answer: 'no', reason: said }
        : { buildpack, answer: 'left out', reason: event.reason }
    case 'error':
      return { buildpack, answer: 'error', reason: event.reason ?? `exit status ${event.code}: ${said}` }
  }
}

function planReason(reason: string): string {
  return reason.startsWith('requires ') ? `nobody provides ${reason.slice('requires '.length)}` : reason
}

const LONGEST = 120

/** The last line with something in it, without what would move the cursor or change colours. */
function lastLine(output: Uint8Array): string {
  const lines = Buffer.from(output)
    .toString('utf8')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    .replace(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f]/g, '')
    .split('\n')
    .map((text) => text.trim())
  const last = lines.findLast((text) => text !== '') ?? ''
  return last.length > LONGEST ? `${last.slice(0, LONGEST)}…` : last
}

/** The answers as the lines of a table. */
export function detectTable(answers: readonly DetectAnswer[]): readonly string[] {
  const rows = answers.map(
    ({ buildpack, answer, reason }) => [formatModuleRef(buildpack), answer, reason] as const,
  )
  const width = (column: 0 | 1) => Math.max(0, ...rows.map((row) => row[column].length))
  return rows.map(([name, answer, reason]) =>
    `  ${name.padEnd(width(0))}  ${answer.padEnd(width(1))}  ${reason}`.trimEnd(),
  )
}
