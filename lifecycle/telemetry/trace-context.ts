/** Where a build's spans hang in the trace of whoever started it. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly parentSpanId: string
  readonly sampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/**
 * Reads a `traceparent` as W3C Trace Context has it (`00-<trace id>-<parent id>-<flags>`).
 * @returns undefined for what is none: the standard asks to go on as if there were no parent
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId, parentSpanId, flags, more] = TRACEPARENT.exec(text.trim()) ?? []
  if (version === undefined || traceId === undefined || parentSpanId === undefined || flags === undefined) {
    return undefined
  }
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined
  return { traceId, parentSpanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}
