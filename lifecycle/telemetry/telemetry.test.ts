import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { eventStream } from '../../core/event.ts'
import { inPhase } from '../phases/in-phase.ts'
import { startTelemetry } from './telemetry.ts'

interface Posted {
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Traces
}

interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly KeyValue[]
  readonly events?: readonly { readonly name: string }[]
  readonly status: { readonly code?: number; readonly message?: string }
}

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const buildpack = { id: 'acme/node', version: '1.2.3' }

let server: Server
let posted: Posted[]
let status: number
let layers: string

beforeEach(async () => {
  posted = []
  status = 200
  layers = mkdtempSync(join(tmpdir(), 'telemetry.'))
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    posted.push({
      path: request.url,
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    })
    response.writeHead(status).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  rmSync(layers, { recursive: true, force: true })
  await new Promise((resolve) => server.close(resolve))
})

function started(env: Readonly<Record<string, string>> = {}) {
  const { port } = server.address() as AddressInfo
  const telemetry = startTelemetry({
    service: 'lifecycle',
    version: '1.0.0',
    layers,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ...env },
  })
  if (telemetry === undefined) throw new Error('tracing is off')
  return { emit: eventStream(telemetry.listener), finish: telemetry.finish }
}

const spansIn = ({ resourceSpans }: Traces) =>
  resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))

const linesOf = (phase: string): Traces[] =>
  readFileSync(join(layers, 'tracing', 'lifecycle', `${phase}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('startTelemetry', () => {
  it('posts the spans of phases and buildpacks below the parent that the platform names', async () => {
    const { emit, finish } = started({
      CNB_OTEL_TRACEPARENT: `00-${TRACE}-${PARENT}-01`,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=secret',
    })
    await inPhase(emit, 'detect', async () => {
      emit({ type: 'detect-finished', buildpack, verdict: 'pass', milliseconds: 5 })
    })
    await inPhase(emit, 'build', async () => {
      emit({ type: 'buildpack-finished', buildpack, milliseconds: 7.5 })
    })
    expect(await finish()).toEqual([])

    expect(posted).toHaveLength(1)
    const [{ path, headers, body }] = posted as [Posted]
    expect(path).toBe('/v1/traces')
    expect(headers).toMatchObject({ 'api-key': 'secret', 'content-type': 'application/json' })
    const attributes = body.resourceSpans[0]?.resource.attributes
    expect(attributes).toContainEqual({ key: 'lifecycle.version', value: { stringValue: '1.0.0' } })
    expect(attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'lifecycle' } })

    const spans = spansIn(body)
    const [detectRun, detect, buildRun, build] = spans as [OtlpSpan, OtlpSpan, OtlpSpan, OtlpSpan]
    expect(spans.map(({ name }) => name)).toEqual(['buildpack-detect', 'detect', 'buildpack-build', 'build'])
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]))
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(4)
    expect([detect.parentSpanId, build.parentSpanId]).toEqual([PARENT, PARENT])
    expect([detectRun.parentSpanId, buildRun.parentSpanId]).toEqual([detect.spanId, build.spanId])
    expect(detectRun.events?.map(({ name }) => name)).toEqual(['detect-pass'])
    expect(buildRun.attributes).toContainEqual({ key: 'buildpack-id', value: { stringValue: 'acme/node' } })
    expect(BigInt(buildRun.endTimeUnixNano) - BigInt(buildRun.startTimeUnixNano)).toBe(7_500_000n)
  })

  it('writes each span to the file of its phase when it ends', async () => {
    const { emit } = started()
    await inPhase(emit, 'build', async () => {
      emit({ type: 'buildpack-finished', buildpack, milliseconds: 7 })
      expect(linesOf('build').flatMap(spansIn)).toHaveLength(1)
    })
    expect(
      linesOf('build')
        .flatMap(spansIn)
        .map(({ name }) => name),
    ).toEqual(['buildpack-build', 'build'])
    expect(statSync(join(layers, 'tracing', 'lifecycle', 'build.jsonl')).mode & 0o777).toBe(0o640)
  })

  it('has a span for each bin/generate', async () => {
    const { emit, finish } = started()
    await inPhase(emit, 'generate', async () => {
      emit({ type: 'extension-finished', extension: buildpack, milliseconds: 7 })
    })
    await finish()
    const [span] = linesOf('generate').flatMap(spansIn)
    expect(span?.name).toBe('extension-generate')
    expect(span?.attributes).toContainEqual({ key: 'extension-id', value: { stringValue: 'acme/node' } })
  })

  it('tells what failed by its code, without texts that may name an image', async () => {
    const { emit, finish } = started()
    const failing = inPhase(emit, 'build', async () => {
      emit({ type: 'buildpack-finished', buildpack, milliseconds: 7, reason: 'exit status 3' })
      throw new SlipwayError('BUILD_BUILDPACK_FAILED', 'registry.example.com/secret-project', {
        class: 'buildpack',
      })
    })
    await expect(failing).rejects.toThrow()
    await finish()
    const spans = posted.flatMap(({ body }) => spansIn(body))
    expect(spans.map((span) => span.status)).toEqual([
      { code: 2, message: 'exit status 3' },
      { code: 2, message: 'BUILD_BUILDPACK_FAILED' },
    ])
    expect(JSON.stringify(posted)).not.toContain('secret-project')
  })

  it('only warns where the collector refuses, is not there, or the directory is not what it should be', async () => {
    status = 503
    const refused = started()
    await inPhase(refused.emit, 'detect', async () => undefined)
    expect((await refused.finish()).join()).toMatch(/^Spans are not sent: .*503/)

    rmSync(join(layers, 'tracing'), { recursive: true })
    const elsewhere = join(layers, 'elsewhere')
    mkdirSync(elsewhere)
    symlinkSync(elsewhere, join(layers, 'tracing'))
    const misled = started({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    await inPhase(misled.emit, 'detect', async () => undefined)
    await inPhase(misled.emit, 'build', async () => undefined)
    const warnings = await misled.finish()
    expect(warnings).toHaveLength(2)
    expect(warnings[0]).toMatch(/^Spans are not written/)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('does not write through a link that a buildpack left', async () => {
    const target = join(layers, 'target')
    writeFileSync(target, 'kept')
    mkdirSync(join(layers, 'tracing', 'lifecycle'), { recursive: true })
    symlinkSync(target, join(layers, 'tracing', 'lifecycle', 'build.jsonl'))
    const { emit, finish } = started()
    await inPhase(emit, 'build', async () => undefined)
    expect((await finish()).join()).toContain('not written')
    expect(readFileSync(target, 'utf8')).toBe('kept')
  })
})
