import type { BuildpackRef, Event, Listener } from '../../core/event.ts'
import { bytes, duration, printable } from './format.ts'

/** Where progress goes: a line at a time, and on a terminal a status line that is drawn over. */
export interface ProgressOutput {
  readonly write: (text: string) => void
  /** Columns of the terminal, or undefined where there is none: then nothing is ever drawn over. */
  readonly columns: number | undefined
  readonly color: boolean
}

export type Detail = 'normal' | 'verbose'

const name = (buildpack: BuildpackRef): string => `${buildpack.id} ${buildpack.version}`

/**
 * A build as it happens, for people. Each phase is a heading, output of buildpacks stands indented below theirs, and
 * what takes a while shows how far it is: on a terminal by a status line, elsewhere by a line when it begins and ends.
 */
export function progressDisplay(output: ProgressOutput, detail: Detail = 'normal'): Listener {
  const labels = new Map<string, string>()
  const decoder = new TextDecoder()
  let status = ''
  let partial = ''
  let drawn = 0

  const bold = (text: string): string => (output.color ? `\u001b[1m${text}\u001b[0m` : text)
  const yellow = (text: string): string => (output.color ? `\u001b[33m${text}\u001b[0m` : text)

  function clearStatus(): void {
    if (status === '') return
    output.write('\r\u001b[K')
    status = ''
  }
  function line(text: string): void {
    clearStatus()
    output.write(`${text}\n`)
  }
  function warn(message: string): void {
    line(yellow(`  warning: ${printable(message)}`))
  }
  function showStatus(text: string): void {
    if (output.columns === undefined) return
    const now = performance.now()
    if (now - drawn < 80) return
    drawn = now
    clearStatus()
    status = text.slice(0, output.columns - 1)
    output.write(status)
  }
  function flushPartial(): void {
    if (partial !== '') line(`  ${printable(partial)}`)
    partial = ''
  }
  function buildOutput(chunk: Uint8Array): void {
    const lines = (partial + decoder.decode(chunk, { stream: true })).split(/\r?\n/)
    partial = lines.pop() ?? ''
    for (const text of lines) line(text === '' ? '' : `  ${printable(text)}`)
  }

  const handlers: Handlers = {
    ...NOTHING,
    'phase-started': (event) => line(bold(HEADINGS[event.phase])),
    'phase-finished': clearStatus,
    'task-started': (event) => {
      labels.set(event.task, event.label)
      if (output.columns === undefined) line(`${event.label} ...`)
      else showStatus(`${event.label} ...`)
    },
    'task-progress': (event) => showStatus(`${labels.get(event.task) ?? event.task} ${amount(event)}`),
    'task-finished': (event) =>
      line(
        `${labels.get(event.task) ?? event.task}: ${event.detail ?? 'done'} (${duration(event.milliseconds)})`,
      ),
    warning: (event) => warn(event.message),
    info: (event) => line(`  ${printable(event.message)}`),
    debug: (event) => void (detail === 'verbose' && line(`  ${printable(event.message)}`)),
    'detect-output': (event) => {
      if (event.output.length === 0 || (detail === 'normal' && event.verdict === 'pass')) return
      line(`  ${name(event.buildpack)}:`)
      buildOutput(event.output)
      flushPartial()
    },
    'detect-group': () => undefined,
    'detect-skipped': (event) =>
      void (detail === 'verbose' && line(`  skip: ${name(event.buildpack)} (${printable(event.reason)})`)),
    'detect-result': (event) => {
      if (detail === 'normal' && event.verdict === 'pass') return
      const reason = event.reason === undefined ? '' : ` (${printable(event.reason)})`
      line(`  ${event.verdict}: ${name(event.buildpack)}${reason}`)
    },
    'detect-trial-verdict': (event) => {
      if (detail === 'verbose' || event.outcome === 'fail')
        line(`  ${event.outcome}: ${printable(event.reason)}`)
    },
    'group-selected': (event) => line(`  ${event.group.map(name).join(', ')}`),
    'layer-restored': (event) =>
      line(`  ${event.layer} from the cache${event.bytes === undefined ? '' : ` (${bytes(event.bytes)})`}`),
    'layer-removed': (event) => line(`  ${event.layer} dropped: ${event.reason}`),
    'layer-restore-skipped': (event) => warn(`${event.layer} not restored: ${event.reason}`),
    'previous-image-corrupt': (event) =>
      warn(`the previous image ${event.reference} cannot be read and is left aside`),
    'build-output': (event) => buildOutput(event.chunk),
    'buildpack-finished': flushPartial,
    'generate-output': (event) => buildOutput(event.chunk),
    'extension-finished': flushPartial,
    'layer-exported': (event) => {
      if (detail === 'verbose') line(`  ${event.outcome} ${event.layer}`)
      else showStatus(`  ${event.layer}`)
    },
    'image-saving': (event) => showStatus(`  saving ${event.name}`),
    'cache-failed': (event) => warn(`the cache could not be written: ${event.message}`),
  }
  return (event) => (handlers[event.type] as (event: Event) => void)(event)
}

type Handlers = { readonly [T in Event['type']]: (event: Extract<Event, { type: T }>) => void }

const nothing = (): void => undefined

/** What this display leaves to the summary or to other renderings. Listed, so that a new event is not forgotten. */
const NOTHING = {
  'step-started': nothing,
  'step-finished': nothing,
  'previous-image': nothing,
  'detect-finished': nothing,
  'detect-trial': nothing,
  'detect-failed': nothing,
  'layer-metadata-restored': nothing,
  'sbom-restored': nothing,
  'buildpack-started': nothing,
  'extension-started': nothing,
  'export-started': nothing,
  'label-added': nothing,
  'default-process': nothing,
  'bytes-uploaded': nothing,
  'image-saved': nothing,
  'cache-layer': nothing,
}

const HEADINGS: Readonly<Record<Extract<Event, { type: 'phase-started' }>['phase'], string>> = {
  analyze: 'Analyze',
  detect: 'Detect',
  generate: 'Generate',
  restore: 'Restore',
  extend: 'Extend',
  build: 'Build',
  export: 'Export',
  rebase: 'Rebase',
  launch: 'Launch',
}

function amount(event: Extract<Event, { type: 'task-progress' }>): string {
  const show = (count: number): string => (event.unit === 'bytes' ? bytes(count) : String(count))
  return event.total === undefined ? show(event.done) : `${show(event.done)} of ${show(event.total)}`
}
