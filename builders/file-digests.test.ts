import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileDigests } from './file-digests.ts'

let directory: string
let path: string
let memory: string
const LATER = () => Date.now() + 60_000
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'digests-'))
  path = join(directory, 'file')
  memory = join(directory, 'memory.json')
  writeFileSync(path, 'content')
})
afterEach(() => rmSync(directory, { recursive: true }))

const digest = createHash('sha256').update('content').digest('hex')

test('remembers what has settled', () => {
  const digests = fileDigests(memory, LATER)
  expect(digests.digestOf(path)).toBe(digest)
  digests.save()
  const entries = JSON.parse(readFileSync(memory, 'utf8'))
  entries[path].sha256 = 'ab'.repeat(32)
  writeFileSync(memory, JSON.stringify(entries))
  expect(fileDigests(memory, LATER).digestOf(path)).toBe('ab'.repeat(32))
  writeFileSync(path, 'CONTENT')
  expect(fileDigests(memory, LATER).digestOf(path)).not.toBe('ab'.repeat(32))
})

test('does not believe a file of the same size and time whose bytes changed', () => {
  const digests = fileDigests(memory, LATER)
  digests.digestOf(path)
  digests.save()
  const past = new Date(Date.now() - 100_000)
  writeFileSync(path, 'CONTENT')
  utimesSync(path, past, past)
  expect(fileDigests(memory, LATER).digestOf(path)).not.toBe(digest)
})

test('does not remember what changed a moment ago', () => {
  const digests = fileDigests(memory)
  digests.digestOf(path)
  digests.save()
  expect(() => readFileSync(memory)).toThrow()
})

test('a damaged memory is an empty one', () => {
  for (const text of ['{', 'null', '{"x":1}', `{"${path}":{"state":1}}`]) {
    writeFileSync(memory, text)
    expect(fileDigests(memory).digestOf(path)).toBe(digest)
  }
})
