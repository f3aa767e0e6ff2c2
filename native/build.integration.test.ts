import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ARCHITECTURES, build, PROGRAMS } from './build.mjs'
import { NATIVE } from './testing/programs.ts'

const top = mkdtempSync(join(tmpdir(), 'slipway-native-test-'))
afterAll(() => rmSync(top, { recursive: true, force: true }))

const kept = (architecture: string, program: string) => join(NATIVE, 'built', architecture, program)
const files = Object.keys(ARCHITECTURES).flatMap((architecture) =>
  Object.keys(PROGRAMS).map((program) => ({ architecture, program })),
)

describe('the programs in the repository', () => {
  test('are what the sources give, from any folder and with an empty cache', () => {
    const sources = join(top, 'some where', 'else')
    cpSync(join(NATIVE, 'src'), sources, { recursive: true })
    build({ output: join(top, 'output'), cache: join(top, 'cache'), sources })
    for (const { architecture, program } of files) {
      const made = readFileSync(join(top, 'output', architecture, program))
      expect(made.equals(readFileSync(kept(architecture, program))), `${architecture}/${program}`).toBe(true)
    }
  })

  test.each(files)(
    '$architecture/$program is small, static, and for its machine',
    ({ architecture, program }) => {
      const bytes = readFileSync(kept(architecture, program))
      const machine = { amd64: 0x3e, arm64: 0xb7 }[architecture]
      expect(bytes.subarray(0, 6)).toEqual(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]))
      expect(bytes.readUInt16LE(18)).toBe(machine)
      expect(programHeaders(bytes)).not.toContain(PT_INTERP)
      expect(bytes.length).toBeLessThanOrEqual(64 * 1024)
      expect(statSync(kept(architecture, program)).mode & 0o777).toBe(0o755)
      // No path of the machine that it was built on.
      expect(bytes.includes('/src/') || bytes.includes('/home/') || bytes.includes('/tmp/')).toBe(false)
    },
  )

  test('for arm64 run', () => {
    const foreign = process.arch !== 'arm64'
    const [command, ...args] = [...(foreign ? ['qemu-aarch64-static'] : []), kept('arm64', 'launcher')]
    const { status, stderr, error } = spawnSync(command ?? '', args, {
      env: { CNB_PLATFORM_API: '0.1' },
      encoding: 'utf8',
    })
    expect(error, 'Debian package qemu-user-static').toBeUndefined()
    expect(status).toBe(11)
    expect(stderr).toContain("platform API version '0.1' is incompatible with the lifecycle")
  })
})

const PT_INTERP = 3

/** Types of a 64-bit ELF file's program headers. */
function programHeaders(bytes: Buffer): number[] {
  const offset = Number(bytes.readBigUInt64LE(32))
  const size = bytes.readUInt16LE(54)
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, index) =>
    bytes.readUInt32LE(offset + index * size),
  )
}
