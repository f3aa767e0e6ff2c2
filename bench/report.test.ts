import { expect, test } from 'vitest'
import type { Aim, Row, Who } from './case.ts'
import { depth } from './cases/analyzer.ts'
import { type Measured, median } from './measure.ts'
import { requestsIn } from './registry.ts'
import { meets, ratio, report, shortfalls } from './report.ts'

const NOTHING = { cpu: 0, peak: 100, read: 0, written: 0, requests: 0, others: 0, output: '' }

function row(aim: Aim, walls: Partial<Record<Who, readonly number[]>>, peak = 100): Row {
  const samples = Object.entries(walls).map(([who, values]): [Who, Measured[]] => [
    who as Who,
    values.map((wall) => ({ ...NOTHING, peak, wall })),
  ])
  return { title: 'export', aim, peak: 200, samples: new Map(samples) }
}

test('a ratio is that of the medians, reference over ours', () => {
  const faster = { kind: 'faster', who: 'ours', times: 3 } as const
  expect(ratio(row(faster, { ours: [1, 9, 2], reference: [8, 6, 1] }))).toBe(3)
  expect(ratio(row({ ...faster, who: 'ours, zstd' }, { ours: [1], 'ours, zstd': [2], reference: [6] }))).toBe(
    3,
  )
  expect(ratio(row(faster, { ours: [1] }))).toBeUndefined()
})

test('over the floor it is ours over the floor, and less is better', () => {
  const aim = { kind: 'floor', times: 1.5 } as const
  expect(ratio(row(aim, { ours: [3], floor: [2] }))).toBe(1.5)
  expect(meets(aim, 1.5)).toBe(true)
  expect(meets(aim, 1.51)).toBe(false)
})

test('what falls short is named: a ratio, memory, a count', () => {
  const aim = { kind: 'faster', who: 'ours', times: 3 } as const
  expect(shortfalls([row(aim, { ours: [1], reference: [3] })])).toEqual([])
  expect(shortfalls([row(aim, { ours: [1], reference: [2] })])).toEqual(['export: 2.00, aim ≥ 3'])
  expect(shortfalls([row(aim, { ours: [1] }, 250)])).toEqual(['export: 250 MB of memory, aim under 200'])
  const fact = { title: 'requests', aim: 'at most 4', ours: '5', isMet: false }
  expect(shortfalls([fact])).toEqual(['requests: 5, aim at most 4'])
})

test('without the reference the rest of a row still stands', () => {
  const text = report([row({ kind: 'faster', who: 'ours', times: 3 }, { ours: [1, 2, 4] })])
  expect(text).toContain('| export | 2.00 (1.00–4.00) | – |  | ≥ 3 |')
})

test('a median of an even number lies between the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('requests are read from an access log', () => {
  const log = `127.0.0.1 - - [21/Nov/2026:14:00:00 +0000] "HEAD /v2/app/blobs/sha256:aa HTTP/1.1" 404 157 "" "agent"
time="…" level=info msg="response completed"
127.0.0.1 - - [21/Nov/2026:14:00:00 +0000] "POST /v2/app/blobs/uploads/ HTTP/1.1" 202 0 "" "agent"`
  expect(requestsIn(log).map(({ method }) => method)).toEqual(['HEAD', 'POST'])
})

test('the depth of requests is how many must wait for others', () => {
  const at = (...pairs: [number, number][]) => pairs.map(([begin, end]) => ({ begin, end }))
  expect(depth([])).toBe(0)
  expect(depth(at([0, 10], [1, 11], [2, 12]))).toBe(1)
  expect(depth(at([0, 10], [11, 20], [1, 25], [21, 30]))).toBe(3)
})
