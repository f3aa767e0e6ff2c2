import { parseTraceparent, type TraceContext } from './trace-context.ts'

/** What the environment says of tracing, in OpenTelemetry's own variables. */
export interface TelemetrySettings {
  /** Where spans are posted to, the path included. */
  readonly url: string
  /** May hold secrets: never logged. */
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds that sending may take. Default 10 s, as OpenTelemetry has it. */
  readonly timeout: number
  /** A file of PEM certificates that the collector's is verified with. */
  readonly certificate?: string
  /** Of the resource: `service.name` and whatever OTEL_RESOURCE_ATTRIBUTES names. */
  readonly resource: Readonly<Record<string, string>>
  readonly parent?: TraceContext
  /** What was asked for and is not there. */
  readonly warnings: readonly string[]
}

type Variables = Readonly<Record<string, string | undefined>>

const DEFAULT_TIMEOUT_MS = 10_000

/**
 * Reads the variables of OpenTelemetry's exporter specification; those for traces win over the general ones. The parent is
 * `CNB_OTEL_TRACEPARENT` (RFC 0131), else `TRACEPARENT`.
 * @param service the `service.name` where OTEL_SERVICE_NAME gives none
 * @returns undefined where no endpoint is set, tracing is switched off, or the parent's trace is not recorded
 */
export function telemetrySettings(env: Variables, service: string): TelemetrySettings | undefined {
  const url = endpointOf(env)
  if (url === undefined) return undefined
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return undefined
  const parent = parseTraceparent(env.CNB_OTEL_TRACEPARENT || env.TRACEPARENT || '')
  if (parent?.sampled === false) return undefined
  const certificate = ofTraces(env, 'CERTIFICATE')
  return {
    url,
    headers: {
      ...parsePairs(env.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
      ...parsePairs(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS ?? ''),
    },
    timeout: timeoutOf(ofTraces(env, 'TIMEOUT')),
    ...(certificate === undefined ? {} : { certificate }),
    resource: {
      'service.name': service,
      ...parsePairs(env.OTEL_RESOURCE_ATTRIBUTES ?? ''),
      ...(env.OTEL_SERVICE_NAME ? { 'service.name': env.OTEL_SERVICE_NAME } : {}),
    },
    ...(parent === undefined ? {} : { parent }),
    warnings: protocolWarning(ofTraces(env, 'PROTOCOL')),
  }
}

function endpointOf(env: Variables): string | undefined {
  if (env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT
  return base ? `${base.replace(/\/+$/, '')}/v1/traces` : undefined
}

function ofTraces(env: Variables, name: string): string | undefined {
  return env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`] || undefined
}

function timeoutOf(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : DEFAULT_TIMEOUT_MS
}

function protocolWarning(protocol: string | undefined): readonly string[] {
  if (protocol === undefined || protocol === 'http/json') return []
  return [
    `spans are sent as http/json, not as ${protocol}: OTEL_EXPORTER_OTLP_ENDPOINT must name the port for HTTP (4318)`,
  ]
}

/** `key=value,other=value` with values percent-encoded, as in W3C Baggage. What is no pair is left out. */
function parsePairs(text: string): Record<string, string> {
  const pairs = text.split(',').flatMap((pair): [string, string][] => {
    const at = pair.indexOf('=')
    const key = pair.slice(0, Math.max(at, 0)).trim()
    return key === '' ? [] : [[key, decoded(pair.slice(at + 1).trim())]]
  })
  return Object.fromEntries(pairs)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    // Sent as it was written: a stray percent sign is no reason to go without.
    if (error instanceof URIError) return text
    throw error
  }
}
