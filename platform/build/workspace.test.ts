import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { copyApplication } from './workspace.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'slipway-app-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('modes are made even, links kept, left-outs left out', () => {
  const top = folder()
  mkdirSync(join(top, 'app/bin'), { recursive: true })
  writeFileSync(join(top, 'app/bin/run'), '#!/bin/sh')
  chmodSync(join(top, 'app/bin/run'), 0o700)
  writeFileSync(join(top, 'app/private'), 'x')
  chmodSync(join(top, 'app/private'), 0o600)
  chmodSync(join(top, 'app/bin'), 0o700)
  symlinkSync('/nowhere', join(top, 'app/link'))
  writeFileSync(join(top, 'app/skip'), '')
  const name = Buffer.from([0x61, 0xff])
  writeFileSync(Buffer.concat([Buffer.from(join(top, 'app/')), name]), 'odd')

  const counted = copyApplication(join(top, 'app'), join(top, 'copy'), (path) => path === 'skip')

  const mode = (path: string) => lstatSync(join(top, 'copy', path)).mode & 0o7777
  expect([mode(''), mode('bin'), mode('bin/run'), mode('private')]).toEqual([0o755, 0o755, 0o755, 0o644])
  expect(readlinkSync(join(top, 'copy/link'))).toBe('/nowhere')
  expect(readdirSync(join(top, 'copy'), 'latin1').sort()).toEqual(['a\u00ff', 'bin', 'link', 'private'])
  expect(counted).toEqual({ files: 3, bytes: 13 })
})

test('a folder that is not there is named', () => {
  expect(() => copyApplication('/nowhere/app', join(folder(), 'x'))).toThrow(
    expect.objectContaining({ code: 'BUILD_APP_UNREADABLE', subject: '/nowhere/app' }),
  )
})
