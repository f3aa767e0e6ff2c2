import type { Event, Listener } from '../../core/event.ts'
import { detectAnswers, detectTable } from './detect-table.ts'
import { isLogged, type LogLevel } from './level.ts'
import { appLayerLines, type LogEntry, type ReferenceStyle, referenceLines } from './reference-lines.ts'
import { withoutEscapes } from './without-escapes.ts'

export interface ReferenceLogOptions extends ReferenceStyle {
  readonly level: LogLevel
  /** Where not, what buildpacks print has none either. */
  readonly color: boolean
  readonly write: (bytes: Uint8Array) => void
}

/** Writes what is not an event: what a command says before and after its phases. */
export type Say = (level: LogLevel, text: string) => void

export interface ReferenceLog {
  readonly listen: Listener
  readonly say: Say
}

/**
 * Writes events as the reference writes its log, to one stream. What the reference tells in another order than it happens
 * is held back: detection's lines until it is known whether it failed (then all are shown, whatever the level), and the
 * layers of an image until all are made.
 */
export function referenceLog(options: ReferenceLogOptions): ReferenceLog {
  const write = options.color ? options.write : withoutEscapes(options.write)
  const put = (entry: LogEntry, least: LogLevel = options.level) => {
    if (entry.kind === 'line' && !isLogged(entry.level, least)) return
    const bytes = rendered(entry, options.color)
    if (bytes.length > 0) write(bytes)
  }
  const putEvent = (event: Event, least?: LogLevel) => {
    for (const entry of referenceLines(event, options)) put(entry, least)
  }
  const detection = detectionBuffer(putEvent, (text) => put({ kind: 'line', level: 'info', text }))
  const layers = layerBuffer(putEvent, put)

  return {
    listen: (event) => {
      if (detection(event) || layers(event)) return
      putEvent(event)
    },
    say: (level, text) => put({ kind: 'line', level, text }),
  }
}

/** Takes an event, or says that it is none of its own. */
type Buffer_ = (event: Event) => boolean

function detectionBuffer(
  putEvent: (event: Event, least?: LogLevel) => void,
  putLine: (text: string) => void,
): Buffer_ {
  let held: Event[] = []
  const flush = (least?: LogLevel) => {
    for (const event of held) putEvent(event, least)
    held = []
  }
  return (event) => {
    switch (event.type) {
      case 'detect-output':
      case 'detect-group':
      case 'detect-skipped':
      case 'detect-result':
      case 'detect-trial':
      case 'detect-trial-verdict':
        held.push(event)
        return true
      case 'group-selected':
        flush()
        return false
      case 'detect-failed': {
        const answers = detectAnswers(held)
        flush('debug')
        if (answers.length > 0) putLine('What each buildpack said:')
        for (const row of detectTable(answers)) putLine(row)
        return false
      }
      case 'phase-finished':
        flush('debug')
        return false
      default:
        return false
    }
  }
}

type LayerEvent = Extract<Event, { readonly type: 'layer-exported' }>

const KINDS: readonly LayerEvent['kind'][] = [
  'extension',
  'buildpack',
  'sbom',
  'app',
  'launcher',
  'config',
  'process-types',
]

function layerBuffer(putEvent: (event: Event) => void, put: (entry: LogEntry) => void): Buffer_ {
  let held: LayerEvent[] = []
  const flush = () => {
    for (const kind of KINDS) {
      const layers = held.filter((event) => event.kind === kind)
      for (const event of layers) putEvent(event)
      if (kind !== 'app') continue
      const added = layers.filter(({ outcome }) => outcome === 'added').length
      for (const entry of appLayerLines(layers.length - added, added)) put(entry)
    }
    held = []
  }
  return (event) => {
    switch (event.type) {
      case 'layer-exported':
        held.push(event)
        return true
      case 'label-added':
      case 'default-process':
      case 'image-saving':
      case 'phase-finished':
        flush()
        return false
      default:
        return false
    }
  }
}

const RESET = '\x1b[0m'
const PREFIXES: Partial<Record<LogLevel, { readonly text: string; readonly color: string }>> = {
  warn: { text: 'Warning: ', color: '\x1b[33;1m' },
  error: { text: 'ERROR: ', color: '\x1b[31;1m' },
  fatal: { text: 'ERROR: ', color: '\x1b[31;1m' },
}

function rendered(entry: LogEntry, color: boolean): Uint8Array {
  const painted = (text: string, paint: string) => (color ? `${paint}${text}${RESET}` : text)
  switch (entry.kind) {
    case 'bytes':
      return entry.bytes
    case 'phase':
      return Buffer.from(`${painted(entry.text, '\x1b[36m')}\n`)
    case 'line': {
      const prefix = PREFIXES[entry.level]
      const body = typeof entry.text === 'string' ? Buffer.from(entry.text) : entry.text
      const end = body.at(-1) === LINE_FEED ? '' : '\n'
      return Buffer.concat([
        Buffer.from(prefix === undefined ? '' : painted(prefix.text, prefix.color)),
        body,
        Buffer.from(end),
      ])
    }
  }
}

const LINE_FEED = 0x0a
