import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiveName } from './archive.ts'
import { CLONE, machine } from './testing/machine.ts'
import {
  debianRoot,
  enter,
  hostileEnvironment,
  installBuildpack,
  installLifecycle,
  makeHostile,
} from './testing/roots.ts'

/** The packaged lifecycle starts on any base image, and what it starts sees the base image's environment. */

const VERSION: string = JSON.parse(readFileSync(join(CLONE, 'package.json'), 'utf8')).version
const BUSYBOX = '/usr/bin/busybox'
const ROOTS = [
  { name: 'musl', suite: 'trixie', packages: ['musl'] },
  { name: 'glibc 2.36', suite: 'bookworm', packages: ['libc6'] },
  { name: 'glibc 2.31', suite: 'bullseye', packages: ['libc6'] },
]
const UIDS = [1001, 1_000_620_000]
const PLATFORM = { CNB_PLATFORM_API: '0.15', CNB_NO_COLOR: 'true' }

let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'start-'))
  const dist = join(directory, 'dist')
  execFileSync('npm', ['run', 'lifecycle:package', '--', dist], { cwd: CLONE, stdio: 'pipe' })
  for (const architecture of ['amd64', 'arm64'] as const) {
    mkdirSync(join(directory, architecture))
    const archive = join(dist, archiveName(VERSION, architecture))
    execFileSync('tar', ['-xzf', archive, '-C', join(directory, architecture)])
  }
  await using registries = machine()
  mkdirSync(join(directory, 'busybox'))
  await debianRoot(registries.debian, 'trixie', ['busybox-static'], join(directory, 'busybox'), directory)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const own = process.arch === 'x64' ? 'amd64' : 'arm64'
const lifecycleOf = (architecture: string): string => join(directory, architecture, 'lifecycle')

test('in an empty root: no /proc, /dev or /tmp, no C library, whatever the environment', async () => {
  const root = join(directory, 'empty')
  installLifecycle(lifecycleOf(own), root)
  const env = { ...PLATFORM, ...hostileEnvironment() }
  for (const uid of UIDS) {
    for (const [program, ...args] of [
      ['lifecycle', '-version'],
      ['detector', '-version'],
      ['exporter', '-version'],
    ]) {
      const ended = await enter(root, uid, [`/cnb/lifecycle/${program}`, ...args], env, [])
      expect(ended, `${program} as ${uid}`).toEqual({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`^${VERSION}\n$`)),
        stderr: '',
      })
    }
    // A phase that finds nothing to do its work on says so, with the code of its own.
    const detector = await enter(root, uid, ['/cnb/lifecycle/detector'], env, [])
    expect(detector).toMatchObject({ code: 1, stderr: '' })
    expect(detector.stdout).toContain('open /cnb/order.toml: no such file or directory')
  }
})

describe.each(ROOTS)('in a root with $name', ({ name, suite, packages }) => {
  let root: string
  beforeAll(async () => {
    root = join(directory, name.replace(' ', '-'))
    mkdirSync(root)
    await using registries = machine()
    await debianRoot(registries.debian, suite, packages, root, directory)
    mkdirSync(join(root, 'usr', 'bin'), { recursive: true })
    cpSync(join(directory, 'busybox', BUSYBOX), join(root, BUSYBOX))
    installLifecycle(lifecycleOf(own), root)
    installBuildpack(root, BUSYBOX)
    makeHostile(root)
  })

  test.each(UIDS)(
    'detector and builder run as %i on a read-only root, and pass the environment on',
    async (uid) => {
      const base = { ...hostileEnvironment(), LIBRARY_PATH: '/l', CPATH: '/c', PKG_CONFIG_PATH: '/p' }
      const env = { ...PLATFORM, ...base, _SLIPWAY_ENV_CPATH: '/forged' }
      const writable = ['layers', 'workspace', 'tmp']
      for (const [phase, name] of [
        ['detector', 'detected'],
        ['builder', 'built'],
      ] as const) {
        const ended = await enter(root, uid, [`/lifecycle/${phase}`, '-app', '/workspace'], env, writable)
        expect(ended, ended.stdout).toMatchObject({ code: 0, stderr: '' })
        expect(ended.stdout).not.toContain('ld.so')
        const seen = variables(join(root, 'workspace', `${name}.env`))
        // cnb-spec EN-1: these pass, as they were.
        expect(seen).toMatchObject({
          LD_LIBRARY_PATH: base.LD_LIBRARY_PATH,
          LIBRARY_PATH: '/l',
          CPATH: '/c',
          PKG_CONFIG_PATH: '/p',
        })
        expect(Object.keys(seen).filter((key) => key.startsWith('_SLIPWAY_ENV_'))).toEqual([])
      }
    },
  )
})

test('for arm64, under an emulator in an empty root', async () => {
  const root = join(directory, 'empty-arm64')
  installLifecycle(lifecycleOf('arm64'), root)
  const emulator = own === 'arm64' ? [] : ['/emulator']
  if (own !== 'arm64') cpSync(which('qemu-aarch64-static'), join(root, 'emulator'))
  // As the starter does it: an emulated program cannot execute another one without the kernel's help.
  const folder = '/cnb/lifecycle'
  const loader = [`${folder}/ld-linux-aarch64.so.1`, '--inhibit-cache', '--library-path', folder]
  const command = [...emulator, ...loader, '--argv0', 'detector', `${folder}/node`, `${folder}/lifecycle.cjs`]
  const version = await enter(root, 1001, [...command, '-version'], PLATFORM, [])
  expect(version).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
  const detector = await enter(root, 1001, command, PLATFORM, [])
  expect(detector.stdout).toContain('open /cnb/order.toml: no such file or directory')
  expect(detector.code).toBe(1)
})

function variables(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]))
}

function which(program: string): string {
  return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim()
}
