import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EventBody } from '../../core/event.ts'
import { digestOf } from '../../oci/digest.ts'
import { launchCache } from './launch.ts'

let directory: string
let events: EventBody[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'launch-cache-'))
  events = []
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const open = () => launchCache(directory, (event) => events.push(event))
const one = digestOf('one')
const two = digestOf('two')
const committed = () => readdirSync(join(directory, 'committed')).sort()

function put(text: string): void {
  const sink = open().add(digestOf(text))
  sink?.start()
  for (const letter of text) sink?.block(Buffer.from(letter))
  sink?.finish()
}

test('a layer is a tar of the name that the Go lifecycle gives it', async () => {
  put('one')
  expect(committed()).toEqual([`${one}.tar`])
  const found = open().find(one)
  expect(found).toMatchObject({ diffId: one, size: 3 })
  const content: Uint8Array[] = []
  for await (const block of found?.open() ?? []) content.push(Buffer.from(block))
  expect(Buffer.concat(content).toString()).toBe('one')
  expect(open().add(one)).toBeUndefined()
  expect(open().find(two)).toBeUndefined()
})

test('only what the image has is kept', () => {
  put('one')
  put('two')
  writeFileSync(join(directory, 'committed', 'of-somebody-else'), '')
  open().keepOnly([two, digestOf('three')])
  expect(committed()).toEqual(['of-somebody-else', `${two}.tar`])
  open().discard(two)
  expect(committed()).toEqual(['of-somebody-else'])
})

test('a layer that does not become complete leaves nothing', () => {
  const sink = open().add(one)
  sink?.start()
  sink?.block(Buffer.from('o'))
  sink?.abandon()
  expect(committed()).toEqual([])
})

test('a cache that cannot be written is said once and keeps nobody from building', () => {
  writeFileSync(join(directory, 'committed'), 'a file is in the way')
  const cache = open()
  for (const diffId of [one, two]) {
    const sink = cache.add(diffId)
    sink?.start()
    sink?.block(Buffer.from('bytes'))
    sink?.finish()
  }
  cache.keepOnly([one])
  expect(events).toEqual([
    { type: 'warning', message: expect.stringContaining('Failed to write the launch cache: ') },
  ])
  expect(readFileSync(join(directory, 'committed'), 'utf8')).toBe('a file is in the way')
})

test('a directory that is not there is an error', () => {
  expect(() => launchCache(join(directory, 'none'), () => {})).toThrow(
    expect.objectContaining({ code: 'CACHE_DIRECTORY_MISSING' }),
  )
  mkdirSync(join(directory, 'there'))
  expect(launchCache(join(directory, 'there'), () => {}).find(one)).toBeUndefined()
})
