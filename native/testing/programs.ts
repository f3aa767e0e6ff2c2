import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { WARNINGS } from '../build.mjs'

export const NATIVE = join(import.meta.dirname, '..')

/** A program as it is kept in the repository, for the machine that the tests run on. */
export function builtProgram(name: 'launcher' | 'starter' | 'sandbox'): string {
  return join(NATIVE, 'built', process.arch === 'arm64' ? 'arm64' : 'amd64', name)
}

/**
 * Compiles sources of native/src for this machine with the checks of gcc for memory and undefined behaviour: what they
 * find ends the program with a code and a report of their own.
 */
export function compileWithChecks(
  folder: string,
  name: string,
  files: readonly string[],
  flags: readonly string[] = [],
): string {
  const output = join(folder, name)
  mkdirSync(folder, { recursive: true })
  const { status, stderr, error } = spawnSync(
    'gcc',
    [
      ...WARNINGS,
      '-g',
      '-O1',
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=all',
      ...flags,
      '-o',
      output,
      ...files,
    ],
    { cwd: join(NATIVE, 'src'), encoding: 'utf8' },
  )
  if (error !== undefined)
    throw new Error(`gcc could not be started (Debian packages gcc, libc6-dev): ${error.message}`)
  if (status !== 0) throw new Error(stderr)
  return output
}
