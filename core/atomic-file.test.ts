import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writeFileAtomically } from './atomic-file.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'slipway-file-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('parents are made, the mode is set, nothing else is left', () => {
  const dir = folder()
  writeFileAtomically(join(dir, 'a/b/file'), 'text', { mode: 0o600, sync: true })
  expect(readFileSync(join(dir, 'a/b/file'), 'utf8')).toBe('text')
  expect(statSync(join(dir, 'a/b/file')).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(dir, 'a/b'))).toEqual(['file'])
})

test('a failure leaves the old content and no temporary file', () => {
  const dir = folder()
  writeFileSync(join(dir, 'taken'), 'old')
  expect(() => writeFileAtomically(join(dir, 'taken/below'), 'new')).toThrow()
  expect(readFileSync(join(dir, 'taken'), 'utf8')).toBe('old')
  expect(readdirSync(dir)).toEqual(['taken'])
})
