/** The programs compiled with gcc's checks for memory and undefined behaviour: the tables of their behaviour again. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROGRAMS } from './build.mjs'
import { launcherEnvironmentTable } from './testing/launcher-environment-table.ts'
import { launcherProcessTable } from './testing/launcher-process-table.ts'
import { builtProgram, compileWithChecks } from './testing/programs.ts'
import { starterTable } from './testing/starter-table.ts'

const folder = mkdtempSync(join(tmpdir(), 'slipway-checked-'))
const NO_LEAKS = { ASAN_OPTIONS: 'detect_leaks=0' }
let launcher = ''
let starter = ''
beforeAll(() => {
  launcher = compileWithChecks(folder, 'launcher', PROGRAMS.launcher)
  starter = compileWithChecks(folder, 'starter', PROGRAMS.starter)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

launcherProcessTable('the launcher with checks', () => launcher)
launcherEnvironmentTable('the launcher with checks', () => launcher)
starterTable('the starter with checks', () => starter)

describe('CNB_DEPRECATION_MODE', () => {
  let binary = ''
  beforeAll(() => {
    const deprecated = ['-DPLATFORM_DEPRECATED=(1ull<<8)', '-DBUILDPACK_DEPRECATED=(1ull<<7)']
    binary = compileWithChecks(folder, 'deprecating-launcher', PROGRAMS.launcher, deprecated)
    mkdirSync(join(folder, 'layers', 'config'), { recursive: true })
    writeFileSync(
      join(folder, 'layers', 'config', 'metadata.toml'),
      '[[buildpacks]]\nid = "old"\napi = "0.7"\n',
    )
  })
  const launch = (platform: string, mode?: string) => {
    const env = {
      ...NO_LEAKS,
      PATH: '/usr/bin:/bin',
      CNB_PLATFORM_API: platform,
      CNB_LAYERS_DIR: join(folder, 'layers'),
      CNB_APP_DIR: folder,
      ...(mode === undefined ? {} : { CNB_DEPRECATION_MODE: mode }),
    }
    const { status, stderr } = spawnSync(binary, ['--', 'true'], { env, encoding: 'utf8' })
    return { status, stderr }
  }

  test.each([undefined, 'warn', 'other'])('%s warns', (mode) => {
    const warning = "Warning: buildpack 'old' requests deprecated API '0.7'\n"
    expect(launch('0.15', mode)).toEqual({ status: 0, stderr: warning })
    expect(launch('0.8', mode)).toEqual({
      status: 0,
      stderr: `Warning: Platform requested deprecated API '0.8'\n${warning}`,
    })
  })
  test.each(['quiet', 'silent'])('%s says nothing', (mode) => {
    expect(launch('0.8', mode)).toEqual({ status: 0, stderr: '' })
  })
  test('error refuses', () => {
    expect(launch('0.8', 'error').status).toBe(11)
    const { status, stderr } = launch('0.15', 'error')
    expect(status).toBe(12)
    expect(stderr).toMatch(/disabled by CNB_DEPRECATION_MODE=error/)
  })
})

test('a container is stopped also while a helper of its launcher runs', async () => {
  const world = join(folder, 'stopped')
  const helper = join(world, 'layers', 'bp', 'layer', 'exec.d', 'helper')
  mkdirSync(join(helper, '..'), { recursive: true })
  mkdirSync(join(world, 'layers', 'config'), { recursive: true })
  writeFileSync(join(world, 'layers', 'config', 'metadata.toml'), '[[buildpacks]]\nid = "bp"\napi = "0.12"\n')
  writeFileSync(helper, '#!/bin/sh\necho ready\nexec sleep 1000\n', { mode: 0o755 })
  const env = {
    PATH: '/usr/bin:/bin',
    CNB_PLATFORM_API: '0.15',
    CNB_LAYERS_DIR: join(world, 'layers'),
    CNB_APP_DIR: world,
  }
  // The launcher is the first process of a namespace, as in a container.
  const outer = spawn('unshare', ['-Urpf', '--kill-child', builtProgram('launcher'), 'true'], { env })
  await once(outer.stdout, 'data')
  const children = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8')
  process.kill(Number(children.trim()), 'SIGTERM')
  const [code] = await once(outer, 'exit')
  expect(code).toBe(128 + constants.signals.SIGTERM)
})

test('the starter does not need /proc', () => {
  const place = join(folder, 'cnb')
  mkdirSync(place)
  copyFileSync(builtProgram('starter'), join(place, 'lifecycle'))
  writeFileSync(join(place, 'node'), '#!/bin/echo started\n', { mode: 0o755 })
  symlinkSync('lifecycle', join(place, 'builder'))
  // An empty directory over /proc, in a mount namespace of its own.
  const script = `mount -t tmpfs none /proc && exec "${join(place, 'builder')}"`
  const { stdout } = spawnSync('unshare', ['-Urm', 'sh', '-c', script], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
  })
  expect(stdout).toBe(`started ${join(place, 'node')} ${join(place, 'lifecycle.cjs')}\n`)
})
