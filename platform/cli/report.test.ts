import { expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { type Event, type EventBody, eventStream } from '../../core/event.ts'
import { failureExitCode, failureLines } from './failure.ts'
import { progressDisplay } from './progress.ts'
import { reportCollector, summaryLines } from './report.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const buildpack = { id: 'a/b', version: '1.0.0' }

const build: readonly EventBody[] = [
  { type: 'task-started', task: 'packages', label: 'Downloading packages' },
  { type: 'task-progress', task: 'packages', done: 500, total: 2000, unit: 'bytes' },
  { type: 'task-finished', task: 'packages', milliseconds: 1200, detail: '3 packages' },
  { type: 'phase-started', phase: 'detect' },
  { type: 'detect-result', buildpack, verdict: 'pass', optional: false, code: 0 },
  { type: 'group-selected', candidates: 1, group: [buildpack] },
  { type: 'phase-finished', phase: 'detect', milliseconds: 20 },
  { type: 'phase-started', phase: 'build' },
  { type: 'build-output', buildpack, chunk: bytes('compil'), stream: 'stdout' },
  { type: 'build-output', buildpack, chunk: bytes('ing é'.slice(0, 4)), stream: 'stdout' },
  { type: 'build-output', buildpack, chunk: bytes('é\u001b]0;evil\u0007\nlast'), stream: 'stderr' },
  { type: 'buildpack-finished', buildpack, milliseconds: 900 },
  { type: 'phase-finished', phase: 'build', milliseconds: 1000 },
  {
    type: 'layer-exported',
    layer: 'a/b:node',
    kind: 'buildpack',
    outcome: 'reused',
    diffId: 'sha256:1',
    compressedSize: 50_000_000,
    milliseconds: 1,
  },
  {
    type: 'layer-exported',
    layer: 'slice-1',
    kind: 'app',
    outcome: 'added',
    diffId: 'sha256:2',
    compressedSize: 900,
    milliseconds: 1,
  },
  { type: 'image-saved', digest: 'sha256:3', names: [{ name: 'app' }], manifestSize: 10, size: 51_000_000 },
]

function shown(columns: number | undefined): string {
  const pieces: string[] = []
  const emit = eventStream(
    progressDisplay({ write: (text) => void pieces.push(text), columns, color: false }),
  )
  for (const event of build) emit(event)
  return pieces.join('')
}

test('without a terminal every line stands for itself, and output cannot drive it', () => {
  expect(shown(undefined)).toBe(
    [
      'Downloading packages ...',
      'Downloading packages: 3 packages (1.20 s)',
      'Detect',
      '  a/b 1.0.0',
      'Build',
      '  compiling é␛]0;evil\ufffd',
      '  last',
      '',
    ].join('\n'),
  )
})

test('on a terminal the status line is cleared before anything else is written', () => {
  const text = shown(80)
  expect(text).toContain('Downloading packages ...\r\u001b[KDownloading packages: 3 packages')
  expect(text.endsWith('\n') || text.endsWith('\u001b[K') || text.includes('  slice-1')).toBe(true)
})

test('the summary says what was reused and why, how large the image is, and where the time went', () => {
  const { listener, report } = reportCollector()
  const emit = eventStream(listener, (event: Event) => event.sequence)
  for (const event of build) emit(event)
  const lines = summaryLines(report())
  expect(lines.slice(0, 4)).toEqual([
    'Layers  1 of 2 reused',
    '  reused  a/b:node  50.0 MB  same contents as in the previous image',
    '  added   slice-1   900 B    new or changed',
    'Size    51.0 MB compressed, base image included',
  ])
  expect(lines[4]).toMatch(
    /^Time .*Downloading packages 1\.20 s, detect 20 ms, build 1\.00 s \(900 ms of it the buildpacks' own programs\)$/,
  )
})

test('a failure is told with its code, its subject, its cause and what to try', () => {
  const error = new SlipwayError('OCI_X', 'it failed', {
    subject: 'registry.example/app',
    cause: new Error('refused'),
    hint: 'do this',
    exitCode: 62,
  })
  expect(failureLines(error)).toEqual([
    'error[OCI_X]: it failed',
    '  at:    registry.example/app',
    '  cause: refused',
    '  try:   do this',
  ])
  expect([failureExitCode(error), failureExitCode(new Error('x'))]).toEqual([62, 1])
  expect(failureLines(new Error('x'))[0]).toBe('error[INTERNAL]: x')
})
