import { isUtf8 } from 'node:buffer'
import { errorChain, type SlipwayError } from '../../core/error.ts'
import type { Event, Phase } from '../../core/event.ts'
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

/**
 * The error that ends a command, with what a retry policy needs to decide.
 * @param action what failed, as in `failed to <action>`
 * @param phase in which it failed; absent before the first one
 */
export function jsonErrorLine(
  { action, phase, error }: { action: string; phase: Phase | undefined; error: SlipwayError },
  now: number,
): string {
  const { code, subject, hint, exitCode } = error
  const cause = error.cause === undefined ? undefined : errorChain(error.cause)
  return jsonLine({
    time: timeOf(now),
    type: 'failed',
    phase,
    action,
    message: errorChain(error),
    code,
    class: error.class,
    subject,
    cause,
    hint,
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
