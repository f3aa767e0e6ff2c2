import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A built program, which goes when it is disposed of. */
export interface GoProgram extends Disposable {
  run(args: readonly string[], input?: string): Buffer
}

/**
 * Builds one of our own Go programs (standard library only).
 * @throws Error that names what is missing.
 */
export function goProgram(source: string): GoProgram {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-go-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  const binary = join(directory, 'program')
  try {
    execFileSync('go', ['build', '-buildvcs=false', '-o', binary, '.'], {
      cwd: source,
      stdio: 'pipe',
      env: {
        ...process.env,
        GOFLAGS: '-mod=mod',
        GOTOOLCHAIN: 'local',
        GOPROXY: 'off',
        GOPATH: join(directory, 'path'),
        GOCACHE: join(directory, 'cache'),
      },
    })
  } catch (cause) {
    remove()
    if ((cause as { code?: string }).code !== 'ENOENT') throw cause
    throw new Error('this test needs Go (Debian: golang-go)', { cause })
  }
  return {
    run: (args, input = '') => execFileSync(binary, args, { input, maxBuffer: 2 ** 30 }),
    [Symbol.dispose]: remove,
  }
}
