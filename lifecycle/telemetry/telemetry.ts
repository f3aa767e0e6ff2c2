import { readFileSync } from 'node:fs'
import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Listener } from '../../core/event.ts'
import { otlpTraces } from './otlp.ts'
import { type TelemetrySettings, telemetrySettings } from './settings.ts'
import { type Span, spansOf } from './spans.ts'
import { appendToTraceFile } from './trace-file.ts'

/** The spans of one process on their way to whoever watches. */
export interface Telemetry {
  readonly listener: Listener
  /** Sends what there is, and gives warnings. Never throws: a build does not fail because nobody watches it. */
  finish(): Promise<readonly string[]>
}

export interface TelemetryOptions {
  /** The `service.name` where the environment gives none. */
  readonly service: string
  readonly version: string
  /** Where `tracing/` is written; without it spans are only sent. */
  readonly layers?: string
  /** OpenTelemetry's variables, and HTTP's for proxies and authorities. */
  readonly env: Readonly<Record<string, string | undefined>>
}

// A build that makes more spans than this is not understood better for it.
const MAX_SPANS = 10_000
const MAX_ANSWER_BYTES = 1 << 16

/**
 * Traces a process as RFC 0131 has it: each span becomes a line of `<layers>/tracing/lifecycle/<phase>.jsonl` when it ends,
 * and all of them are posted to the collector as OTLP in JSON at the end.
 * @returns undefined where the environment does not ask for it
 */
export function startTelemetry({ service, version, layers, env }: TelemetryOptions): Telemetry | undefined {
  const settings = telemetrySettings(env, service)
  if (settings === undefined) return undefined
  const { parent, resource } = settings
  const origin = { traceId: parent?.traceId ?? hexadecimal(16), resource, version }
  const spans: Span[] = []
  const warnings = [...settings.warnings]
  let writesFiles = layers !== undefined

  const file = (span: Span) => {
    if (!writesFiles || layers === undefined || span.phase === undefined) return
    try {
      appendToTraceFile(layers, span.phase, `${JSON.stringify(otlpTraces([span], origin))}\n`)
    } catch (error) {
      // Once is enough: the next line would say the same.
      writesFiles = false
      warnings.push(`Spans are not written: ${errorChain(error)}`)
    }
  }
  const listener = spansOf(
    { epoch: Date.now(), parent: parent?.parentSpanId, newSpanId: () => hexadecimal(8) },
    (span) => {
      if (spans.length < MAX_SPANS) spans.push(span)
      file(span)
    },
  )

  return {
    listener,
    finish: async () => {
      try {
        if (spans.length > 0) await post(JSON.stringify(otlpTraces(spans, origin)), settings, env)
      } catch (error) {
        warnings.push(`Spans are not sent: ${errorChain(error)}`)
      }
      return warnings
    },
  }
}

/** One attempt: the collector's retries are not worth a build's time. */
async function post(
  body: string,
  { url, headers, timeout, certificate }: TelemetrySettings,
  env: TelemetryOptions['env'],
): Promise<void> {
  const { createHttpClient, httpOptionsFromEnvironment, systemCertificates } = await import(
    '../../core/http/index.ts'
  )
  const certificates =
    certificate === undefined ? systemCertificates(env) : [readFileSync(certificate, 'utf8')]
  const client = createHttpClient({ ...httpOptionsFromEnvironment(env), certificates })
  try {
    const response = await client.send({
      method: 'POST',
      url,
      headers: { ...headers, 'content-type': 'application/json' },
      body: Buffer.from(body),
      signal: AbortSignal.timeout(timeout),
    })
    const answer = await response.text(MAX_ANSWER_BYTES)
    if (response.status < 200 || response.status > 299) {
      throw new SlipwayError(
        'TELEMETRY_REFUSED',
        `the collector answered ${response.status}: ${answer.slice(0, 200)}`,
        {
          subject: url,
          class: 'infrastructure',
        },
      )
    }
  } finally {
    await client.close()
  }
}

function hexadecimal(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')
}
