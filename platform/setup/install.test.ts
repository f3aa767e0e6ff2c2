import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const launcher = join(import.meta.dirname, '../../slipway')

/** A clone that is installed already, as far as the start script can tell, with a program that shows its arguments. */
function installed() {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-start-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const clone = join(folder, 'clone with spaces')
  mkdirSync(join(clone, 'platform/setup'), { recursive: true })
  for (const name of ['core', 'spec', 'oci', 'sources', 'native', 'lifecycle', 'buildpacks', 'builders'])
    mkdirSync(join(clone, name))
  for (const name of ['package.json', 'package-lock.json']) writeFileSync(join(clone, name), '{}')
  writeFileSync(join(clone, 'slipway'), readFileSync(launcher), { mode: 0o755 })
  const program = join(folder, 'program')
  mkdirSync(program)
  writeFileSync(join(program, 'complete'), '')
  writeFileSync(join(program, 'node'), '#!/bin/sh\nshift\nprintf "<%s>" "$@"\n', { mode: 0o755 })
  // Stands for the installer: counts its calls and names the program.
  writeFileSync(
    join(clone, 'platform/setup/install.mjs'),
    `import { appendFileSync } from 'node:fs'\nappendFileSync(${JSON.stringify(join(folder, 'calls'))}, 'x')\nconsole.log(${JSON.stringify(program)})\n`,
  )
  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').length
  const start = (...args: string[]) =>
    execFileSync(join(clone, 'slipway'), args, {
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: process.env.PATH, SLIPWAY_HOME: join(folder, 'home') },
    })
  return { clone, folder, program, calls, start }
}

test('installs once, passes arguments on as they are, and notices what changed', () => {
  const { clone, calls, start } = installed()
  expect(start('build', 'a b', '')).toBe('<build><a b><>')
  expect(start('again')).toBe('<again>')
  expect(calls()).toBe(1)
  writeFileSync(join(clone, 'core/new.ts'), '')
  start()
  expect(calls()).toBe(2)
  rmSync(join(clone, 'core/new.ts'))
  start()
  start()
  expect(calls()).toBe(3)
})

test('installs again where the program is gone', () => {
  const { program, calls, start } = installed()
  start()
  rmSync(join(program, 'complete'))
  writeFileSync(join(program, 'complete.'), '')
  start()
  expect(calls()).toBe(2)
})
