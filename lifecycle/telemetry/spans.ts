import type { BuildpackRef, Event, Listener, Phase } from '../../core/event.ts'

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** Something that took time, as OpenTelemetry has it. Times are milliseconds since 1970. */
export interface Span {
  readonly spanId: string
  /** Absent at the top of a trace. */
  readonly parentSpanId?: string
  readonly name: string
  /** The phase it was part of; absent for what happens between phases. */
  readonly phase?: Phase
  readonly start: number
  readonly end: number
  readonly attributes: Attributes
  /** A moment with a name, at the end. */
  readonly event?: string
  /** Why it failed. Texts that may name an image or a user do not belong here (RFC 0131, Intent). */
  readonly failure?: string
}

type Finished = Omit<Span, 'spanId' | 'parentSpanId' | 'phase' | 'start' | 'end'> & {
  readonly milliseconds: number
}

/**
 * Makes spans of the events of a build: one per phase, and below it one per run of a buildpack or extension, exported layer and task.
 * Names are RFC 0131's where it has one (`buildpack-detect` with its event `detect-pass`).
 * @param epoch milliseconds since 1970 at which the events' clock started
 * @param parent of the topmost spans
 */
export function spansOf(
  { epoch, parent, newSpanId }: { epoch: number; parent: string | undefined; newSpanId: () => string },
  finished: (span: Span) => void,
): Listener {
  let current: { readonly phase: Phase; readonly spanId: string } | undefined

  return (event) => {
    if (event.type === 'phase-started') {
      current = { phase: event.phase, spanId: newSpanId() }
      return
    }
    const span = spanOf(event)
    if (span === undefined) return
    const { milliseconds, ...rest } = span
    const end = epoch + event.at
    const isPhase = event.type === 'phase-finished'
    const above = isPhase ? parent : (current?.spanId ?? parent)
    finished({
      ...rest,
      spanId: (isPhase ? current?.spanId : undefined) ?? newSpanId(),
      ...(above === undefined ? {} : { parentSpanId: above }),
      ...(current === undefined ? {} : { phase: current.phase }),
      start: end - milliseconds,
      end,
    })
    if (isPhase) current = undefined
  }
}

function spanOf(event: Event): Finished | undefined {
  switch (event.type) {
    case 'phase-finished': {
      const { phase, milliseconds, failed } = event
      const attributes =
        failed === undefined ? {} : { 'error.type': failed.code, 'error.class': failed.class }
      return { name: phase, milliseconds, attributes, ...(failed && { failure: failed.code }) }
    }
    case 'detect-finished': {
      const { buildpack, verdict, milliseconds } = event
      return {
        name: 'buildpack-detect',
        milliseconds,
        attributes: ofBuildpack(buildpack),
        event: `detect-${verdict}`,
        // To say no is an answer, not a failure.
        ...(verdict === 'error' && { failure: 'error' }),
      }
    }
    case 'buildpack-finished': {
      const { buildpack, milliseconds, reason } = event
      const attributes = ofBuildpack(buildpack)
      return { name: 'buildpack-build', milliseconds, attributes, ...(reason && { failure: reason }) }
    }
    case 'extension-finished': {
      const { extension, milliseconds, reason } = event
      const attributes = { 'extension-id': extension.id, 'extension-version': extension.version }
      return { name: 'extension-generate', milliseconds, attributes, ...(reason && { failure: reason }) }
    }
    case 'layer-exported': {
      const { layer, kind, outcome, size, milliseconds } = event
      const attributes = { layer, kind, outcome, ...(size !== undefined && { size }) }
      return { name: 'layer-export', milliseconds, attributes }
    }
    case 'task-finished': {
      const { task, milliseconds } = event
      return { name: task, milliseconds, attributes: {} }
    }
    default:
      return undefined
  }
}

function ofBuildpack({ id, version }: BuildpackRef): Attributes {
  return { 'buildpack-id': id, 'buildpack-version': version }
}
