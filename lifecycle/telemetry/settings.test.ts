import { describe, expect, it } from 'vitest'
import { telemetrySettings } from './settings.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
const PARENT = '0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331'

describe('telemetrySettings', () => {
  it('is off without an endpoint, and where it is switched off', () => {
    expect(telemetrySettings({}, 'lifecycle')).toBeUndefined()
    expect(telemetrySettings({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, 'lifecycle')).toBeUndefined()
    expect(telemetrySettings({ ...ENDPOINT, OTEL_SDK_DISABLED: 'True' }, 'lifecycle')).toBeUndefined()
    expect(telemetrySettings({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }, 'lifecycle')).toBeUndefined()
    expect(telemetrySettings({ ...ENDPOINT, TRACEPARENT: `00-${PARENT}-00` }, 'lifecycle')).toBeUndefined()
  })

  it('adds the path to the general endpoint, and takes that for traces as it is', () => {
    expect(telemetrySettings(ENDPOINT, 'lifecycle')).toMatchObject({
      url: 'http://collector:4318/v1/traces',
      timeout: 10_000,
      headers: {},
      resource: { 'service.name': 'lifecycle' },
      warnings: [],
    })
    const own = { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces/here' }
    expect(telemetrySettings(own, 'lifecycle')?.url).toBe('http://traces/here')
  })

  it('reads headers, attributes, the name of the service and the time-out', () => {
    const settings = telemetrySettings(
      {
        ...ENDPOINT,
        OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, broken, x=1',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x=100%',
        OTEL_EXPORTER_OTLP_TIMEOUT: '500',
        OTEL_RESOURCE_ATTRIBUTES: 'team=web,service.name=other',
        OTEL_SERVICE_NAME: 'mine',
      },
      'lifecycle',
    )
    expect(settings).toMatchObject({
      headers: { 'api-key': 'a b', x: '100%' },
      timeout: 500,
      resource: { 'service.name': 'mine', team: 'web' },
    })
  })

  it('hangs below CNB_OTEL_TRACEPARENT rather than TRACEPARENT', () => {
    const other = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    const env = { ...ENDPOINT, CNB_OTEL_TRACEPARENT: `00-${PARENT}-01`, TRACEPARENT: other }
    expect(telemetrySettings(env, 'lifecycle')?.parent?.parentSpanId).toBe('b7ad6b7169203331')
    expect(telemetrySettings({ ...ENDPOINT, TRACEPARENT: other }, 'l')?.parent?.traceId).toBe('1'.repeat(32))
  })

  it('says that gRPC is not spoken', () => {
    const { warnings } = telemetrySettings({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'l') ?? {}
    expect(warnings?.join()).toContain('4318')
  })
})
