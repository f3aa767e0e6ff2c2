import { expect, test } from 'vitest'
import { type Event, eventStream, task } from './event.ts'

test('events are numbered and reach every listener in order, at once', () => {
  const seen: string[] = []
  const emit = eventStream(
    (event) => seen.push(`a${event.sequence}`),
    (event) => seen.push(`b${event.sequence}`),
  )
  emit({ type: 'info', message: 'x' })
  emit({ type: 'warning', message: 'y' })
  expect(seen).toEqual(['a1', 'b1', 'a2', 'b2'])
})

test('a task says when it began and ended, and what came of it', async () => {
  const events: Event[] = []
  const result = await task(
    eventStream((event) => events.push(event)),
    'fetch',
    'Fetching',
    async () => 3,
    (n) => `${n} files`,
  )
  expect(result).toBe(3)
  expect(events).toMatchObject([
    { type: 'task-started', task: 'fetch', label: 'Fetching' },
    { type: 'task-finished', task: 'fetch', detail: '3 files' },
  ])
})

test('a task that fails does not say that it finished', async () => {
  const events: Event[] = []
  const failing = task(
    eventStream((event) => events.push(event)),
    'x',
    'X',
    () => Promise.reject(new Error('no')),
  )
  await expect(failing).rejects.toThrow('no')
  expect(events.map((event) => event.type)).toEqual(['task-started'])
})
