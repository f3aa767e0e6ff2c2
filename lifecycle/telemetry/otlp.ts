import type { Attributes, Span } from './spans.ts'

/** What all spans of a process have in common. */
export interface Origin {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  readonly resource: Attributes
  /** Of the lifecycle. */
  readonly version: string
}

const INTERNAL = 1
const ERROR = 2

/** Spans as the JSON of OTLP's ExportTraceServiceRequest, which is also a line of OpenTelemetry's file format. */
export function otlpTraces(spans: readonly Span[], { traceId, resource, version }: Origin): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: keyValues({ ...resource, 'lifecycle.version': version }) },
        scopeSpans: [
          { scope: { name: 'slipway', version }, spans: spans.map((span) => otlpSpan(span, traceId)) },
        ],
      },
    ],
  }
}

function otlpSpan(span: Span, traceId: string): object {
  const { spanId, parentSpanId, name, start, end, attributes, event, failure } = span
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: INTERNAL,
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(end),
    attributes: keyValues(attributes),
    ...(event === undefined ? {} : { events: [{ timeUnixNano: nanoseconds(end), name: event }] }),
    status: failure === undefined ? {} : { code: ERROR, message: failure },
  }
}

const NANOSECONDS = 1e6

/** As a decimal string: such numbers are above what a double holds. */
function nanoseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds)
  return String(
    BigInt(whole) * BigInt(NANOSECONDS) + BigInt(Math.round((milliseconds - whole) * NANOSECONDS)),
  )
}

function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
