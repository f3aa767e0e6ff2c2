import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { handOver, hostOwner } from './host-owner.ts'

test('a tree is handed over whole, links themselves and not what they point to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-owner-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'tree/below'), { recursive: true })
  mkdirSync(join(folder, 'outside/kept'), { recursive: true })
  writeFileSync(join(folder, 'tree/below/file'), '')
  writeFileSync(join(folder, 'tree/below', Buffer.from([0x66, 0xff]).toString('latin1')), '')
  symlinkSync(join(folder, 'outside'), join(folder, 'tree/link'))
  const before = statSync(join(folder, 'outside')).uid

  handOver(join(folder, 'tree'))

  const { uid } = hostOwner()
  for (const path of ['tree', 'tree/below', 'tree/below/file', 'tree/link']) {
    expect([path, lstatSync(join(folder, path)).uid]).toEqual([path, uid])
  }
  expect(statSync(join(folder, 'outside')).uid).toBe(before)
  expect(statSync(join(folder, 'outside/kept')).uid).toBe(before)
})
