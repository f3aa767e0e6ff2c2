import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { type EventBody, eventStream } from '../../core/event.ts'
import { goDuration, parseGoDuration } from './go-duration.ts'
import { jsonErrorLine, jsonEventLine } from './json-lines.ts'
import { type LogLevel, parseLogLevel } from './level.ts'
import { referenceLog } from './reference-log.ts'

function logged(
  events: readonly EventBody[],
  level: LogLevel = 'info',
  color = false,
  phaseHeadings = false,
) {
  const chunks: Uint8Array[] = []
  const log = referenceLog({ level, color, phaseHeadings, epoch: 0, write: (bytes) => chunks.push(bytes) })
  const emit = eventStream(log.listen)
  for (const event of events) emit(event)
  return Buffer.concat(chunks).toString()
}

const bp = (id: string) => ({ id, version: '1.0' })
const layer = (name: string, kind: 'buildpack' | 'app' | 'launcher' | 'sbom', outcome: 'added' | 'reused') =>
  ({ type: 'layer-exported', layer: name, kind, outcome, diffId: 'sha256:x', milliseconds: 1 }) as const

describe('the reference log', () => {
  test('has the prefixes and colours of the reference', () => {
    const events: EventBody[] = [
      { type: 'phase-started', phase: 'detect' },
      { type: 'warning', message: 'careful' },
      { type: 'detect-failed', erroredBuildpack: true },
    ]
    expect(logged(events, 'info', true, true)).toBe(
      '\x1b[36m===> DETECTING\x1b[0m\n\x1b[33;1mWarning: \x1b[0mcareful\n\x1b[31;1mERROR: \x1b[0mNo buildpack groups passed detection.\n',
    )
    expect(logged(events)).toBe('Warning: careful\nERROR: No buildpack groups passed detection.\n')
    expect(logged(events, 'error')).toBe('ERROR: No buildpack groups passed detection.\n')
  })

  const detection: EventBody[] = [
    { type: 'detect-output', buildpack: bp('quiet'), verdict: 'pass', output: Buffer.from('fine') },
    {
      type: 'detect-output',
      buildpack: bp('loud'),
      verdict: 'error',
      output: Buffer.from('bad\n'),
      error: 'why',
    },
    { type: 'detect-group', group: [bp('quiet'), bp('loud')] },
    { type: 'detect-result', buildpack: bp('quiet'), verdict: 'pass', optional: false, code: 0 },
    { type: 'detect-result', buildpack: bp('loud'), verdict: 'error', optional: true, code: 3 },
  ]

  test('tells of a detection that passed what was asked for', () => {
    const events: EventBody[] = [
      ...detection,
      { type: 'detect-trial', number: 1 },
      { type: 'group-selected', candidates: 2, group: [bp('quiet')] },
    ]
    expect(logged(events)).toBe(
      '======== Output: loud@1.0 ========\nbad\n======== Error: loud@1.0 ========\nwhy\nerr:  loud@1.0 (3)\n1 of 2 buildpacks participating\nquiet 1.0\n',
    )
    expect(logged(events, 'debug')).toContain('pass: quiet@1.0\n')
  })

  test('tells of a detection that failed everything, and what each said in a table', () => {
    const events: EventBody[] = [...detection, { type: 'detect-failed', erroredBuildpack: false }]
    expect(logged(events)).toBe(
      [
        '======== Output: quiet@1.0 ========',
        'fine',
        '======== Output: loud@1.0 ========',
        'bad',
        '======== Error: loud@1.0 ========',
        'why',
        '======== Results ========',
        'pass: quiet@1.0',
        'err:  loud@1.0 (3)',
        'What each buildpack said:',
        '  quiet@1.0  yes',
        '  loud@1.0   error  exit status 3: bad',
        'ERROR: No buildpack groups passed detection.',
        'ERROR: Please check that you are running against the correct path.',
        '',
      ].join('\n'),
    )
  })

  test('tells of a detection that broke off all that there is', () => {
    expect(logged([...detection, { type: 'phase-finished', phase: 'detect', milliseconds: 5 }])).toContain(
      'pass: quiet@1.0\n',
    )
  })

  test('what would move the cursor does not reach the table', () => {
    const events: EventBody[] = [
      {
        type: 'detect-output',
        buildpack: bp('a'),
        verdict: 'fail',
        output: Buffer.from('x\x1b[2J\x07no\n\n'),
      },
      { type: 'detect-result', buildpack: bp('a'), verdict: 'fail', optional: false, code: 100 },
      { type: 'detect-failed', erroredBuildpack: false },
    ]
    expect(logged(events)).toContain('  a@1.0  no  xno\n')
  })

  test('names an image in a container daemon by its ID', () => {
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
    const hex = digest.slice('sha256:'.length)
    const events: EventBody[] = [
      { type: 'export-started', previousImage: hex, identity: 'image-id' },
      { type: 'image-saved', digest, identity: 'image-id', names: [{ name: 'n' }], manifestSize: 3, size: 4 },
    ]
    expect(logged(events)).toBe('*** Images (0123456789ab):\n      n\n')
    expect(logged(events, 'debug')).toBe(
      `Reusing layers from image with id '${hex}'\n*** Images (0123456789ab):\n      n\n\n*** Image ID: ${hex}\n`,
    )
  })

  test('tells of layers in the order of the image, and those of the app in one line', () => {
    expect(
      logged([
        { type: 'export-started', previousImage: 'r@sha256:1' },
        layer('slice-2', 'app', 'reused'),
        layer('buildpacksio/lifecycle:launcher', 'launcher', 'reused'),
        layer('a:x', 'buildpack', 'added'),
        layer('slice-1', 'app', 'added'),
        layer('buildpacksio/lifecycle:launch.sbom', 'sbom', 'added'),
        { type: 'label-added', key: 'k' },
        { type: 'default-process', process: undefined },
        { type: 'image-saving', name: 'n' },
        {
          type: 'image-saved',
          digest: 'sha256:2',
          names: [{ name: 'n' }, { name: 'm', error: 'no' }],
          manifestSize: 3,
          size: 4,
        },
      ]),
    ).toBe(
      [
        "Reusing layers from image 'r@sha256:1'",
        "Adding layer 'a:x'",
        "Adding layer 'buildpacksio/lifecycle:launch.sbom'",
        'Reused 1/2 app layer(s)',
        'Added 1/2 app layer(s)',
        "Reusing layer 'buildpacksio/lifecycle:launcher'",
        "Adding label 'k'",
        'no default process type',
        'Saving n...',
        '*** Images (sha256:2):',
        '      n',
        '      m - no',
        '',
      ].join('\n'),
    )
  })

  test("passes a buildpack's bytes on as they are, whatever the level", () => {
    const chunk = Buffer.from([0xff, 0x0a, 0x61])
    const chunks: Uint8Array[] = []
    const write = (bytes: Uint8Array) => chunks.push(bytes)
    const log = referenceLog({ level: 'fatal', color: true, phaseHeadings: false, epoch: 0, write })
    eventStream(log.listen)({ type: 'build-output', buildpack: bp('a'), chunk, stream: 'stdout' })
    expect(chunks).toEqual([chunk])
  })
})

test('durations as Go has them, both ways', () => {
  const known: [number, string][] = [
    [0, '0s'],
    [0.0005, '500ns'],
    [0.25, '250µs'],
    [1.5, '1.5ms'],
    [2250, '2.25s'],
    [61_000, '1m1s'],
    [3_603_000, '1h0m3s'],
  ]
  for (const [milliseconds, text] of known) {
    expect(goDuration(milliseconds)).toBe(text)
    expect(parseGoDuration(text)).toBeCloseTo(milliseconds)
  }
  for (const text of ['', '5', 's', '1 s', '1d', '1s1']) expect(parseGoDuration(text)).toBeUndefined()
})

test('levels', () => {
  expect(parseLogLevel('WARNING')).toBe('warn')
  expect(() => parseLogLevel('loud')).toThrow(
    expect.objectContaining({ code: 'LIFECYCLE_LOG_LEVEL_INVALID' }),
  )
})

test('JSON: one line for each event, bytes as text or as base64', () => {
  const event = (chunk: Uint8Array) =>
    jsonEventLine(
      { type: 'build-output', buildpack: bp('a'), chunk, stream: 'stdout', sequence: 3, at: 1500 },
      0,
    )
  expect(JSON.parse(event(Buffer.from('é\n')))).toEqual({
    time: '1970-01-01T00:00:01.500Z',
    type: 'build-output',
    buildpack: { id: 'a', version: '1.0' },
    chunk: 'é\n',
    stream: 'stdout',
    sequence: 3,
  })
  expect(JSON.parse(event(new Uint8Array([0xff]))).chunk).toEqual({ base64: '/w==' })
  expect(event(Buffer.from('a\nb')).split('\n')).toHaveLength(2)
  const error = new SlipwayError('A_B', 'a', { cause: new Error('b'), exitCode: 3, class: 'user' })
  expect(JSON.parse(jsonErrorLine({ action: 'detect', phase: 'detect', error }, 0))).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    type: 'failed',
    phase: 'detect',
    action: 'detect',
    message: 'a: b',
    code: 'A_B',
    class: 'user',
    cause: 'b',
    exitCode: 3,
  })
})
