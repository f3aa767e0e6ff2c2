import { isUtf8 } from 'node:buffer'
import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Event } from '../../core/event.ts'
import type { LogLevel } from './level.ts'

/**
 * An event as one line of JSON: its fields as they are, the time as ISO 8601, bytes as text where they are UTF-8 and
 * as `{"base64": …}` where not.
 * @param epoch milliseconds since 1970 at which the events' clock started
 */
export function jsonEventLine(event: Event, epoch: number): string {
  const { at, ...fields } = event
  return jsonLine({ time: timeOf(epoch + at), ...fields })
}

/** What a command says besides events. */
export function jsonMessageLine(level: LogLevel, message: string, now: number): string {
  return jsonLine({ time: timeOf(now), type: 'log', level, message })
}

/** The error that ends a command, with what a retry policy needs to decide. */
export function jsonErrorLine(action: string, error: unknown, exitCode: number, now: number): string {
  const known = error instanceof SlipwayError ? error : undefined
  return jsonLine({
    time: timeOf(now),
    type: 'failed',
    action,
    message: errorChain(error),
    code: known?.code,
    class: known?.class ?? 'internal',
    subject: known?.subject,
    hint: known?.hint,
    exitCode,
  })
}

function jsonLine(fields: object): string {
  // Buffers have turned into objects before a replacer sees them, so their fields are looked up.
  const replace = function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const found = this[key]
    return found instanceof Uint8Array ? bytesOf(found) : value
  }
  return `${JSON.stringify(fields, replace)}\n`
}

function bytesOf(bytes: Uint8Array): string | { readonly base64: string } {
  const buffer = Buffer.from(bytes)
  return isUtf8(buffer) ? buffer.toString('utf8') : { base64: buffer.toString('base64') }
}

function timeOf(time: number): string {
  return new Date(time).toISOString()
}
