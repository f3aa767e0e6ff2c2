import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ContainerPath, containerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Runner, RunSpec, RunStatus } from '../../../core/runner.ts'

/** A runner to be tried, and a directory that its programs may write to. */
export interface RunnerUnderTest extends AsyncDisposable {
  readonly runner: Runner
  readonly directory: ContainerPath
  /** The same directory on this machine. */
  readonly hostDirectory: string
  /** Whether stdout and stderr are told apart. */
  readonly separate: boolean
}

export interface Ran {
  readonly status: RunStatus
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/** Runs a program and collects what it writes. */
export async function collect(runner: Runner, spec: RunSpec): Promise<Ran> {
  const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
  const status = await runner.run(spec, (chunk, stream) => void chunks[stream].push(Buffer.from(chunk)))
  return { status, stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr) }
}

/** A script for /bin/sh as a spec; `args` are its `$1`, `$2` …. */
export function script(
  text: string,
  more: Partial<RunSpec> & { readonly args?: readonly string[] } = {},
): RunSpec {
  return {
    program: containerPath('/bin/sh'),
    cwd: containerPath('/'),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    ...more,
    args: ['-c', text, 'sh', ...(more.args ?? [])],
  }
}

/** Ids of processes of this machine that have an argument. */
export function processesWith(argument: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(argument)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** An argument for `sleep` that no other process has. */
export function longTime(): string {
  return `1000.${randomBytes(6).readUIntBE(0, 6)}`
}

/**
 * What every runner promises, wherever it runs programs: `core/runner.ts` in examples. The programs it uses are a
 * shell and what stands beside it on any Linux.
 */
export function runnerContract(name: string, make: () => Promise<RunnerUnderTest>): void {
  describe(name, () => {
    let subject: RunnerUnderTest
    beforeAll(async () => {
      subject = await make()
    })
    afterAll(async () => await subject?.[Symbol.asyncDispose]())

    const run = (spec: RunSpec): Promise<Ran> => collect(subject.runner, spec)

    /** Writes a program into the shared directory. */
    function place(file: string, content: string, mode = 0o755): ContainerPath {
      const path = join(subject.hostDirectory, file)
      writeFileSync(path, content)
      chmodSync(path, mode)
      return joinPath(subject.directory, file)
    }

    test('gives the program its environment, and nothing else', async () => {
      const env = { A: '1', EMPTY: '', 'odd.name-x': 'ü "$HOME"\n\\', LD_LIBRARY_PATH: '/nowhere' }
      const program = containerPath('/usr/bin/env')
      const { stdout } = await run({ program, args: ['-0'], cwd: containerPath('/'), env })
      const found = stdout.toString().split('\0').slice(0, -1).sort()
      expect(found).toEqual(
        Object.entries(env)
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
      )
    })

    test('passes arguments as they are', async () => {
      const args = ['', ' a  b ', 'ü\n', '$HOME', '-n', '"\\']
      const { stdout } = await run(script('for word; do printf "%s\\0" "$word"; done', { args }))
      expect(stdout.toString().split('\0').slice(0, -1)).toEqual(args)
    })

    test.each([0, 1, 100, 137, 255])('reports exit code %i', async (code) => {
      const { status } = await run(script(`exit ${code}`))
      expect(status).toEqual({ kind: 'exited', code })
    })

    test.each(['SIGTERM', 'SIGKILL'])('reports the end by %s', async (signal) => {
      const { status } = await run(script(`kill -${signal.slice(3)} $$; sleep 10`))
      expect(status).toEqual({ kind: 'signalled', signal })
    })

    test('starts in the given directory', async () => {
      const cwd = joinPath(subject.directory, 'some where')
      mkdirSync(join(subject.hostDirectory, 'some where'), { recursive: true })
      const { stdout } = await run(script('pwd', { cwd }))
      expect(stdout.toString()).toBe(`${cwd}\n`)
    })

    test('has umask 022', async () => {
      const { stdout } = await run(script('umask'))
      expect(Number.parseInt(stdout.toString(), 8)).toBe(0o022)
    })

    test('hands over output byte by byte', async () => {
      const bytes = randomBytes(3_000_000)
      place('bytes', '', 0o644)
      writeFileSync(join(subject.hostDirectory, 'bytes'), bytes)
      const { stdout } = await run(script(`cat ${joinPath(subject.directory, 'bytes')}`))
      expect(stdout.equals(bytes)).toBe(true)
    })

    test('tells the streams apart where it says so, and keeps the order of one', async () => {
      const { stdout, stderr } = await run(
        script('for i in 1 2 3 4 5; do echo "out $i"; echo "err $i" >&2; done'),
      )
      const lines = (kind: string) => [1, 2, 3, 4, 5].map((i) => `${kind} ${i}\n`).join('')
      if (subject.separate) {
        expect([stdout.toString(), stderr.toString()]).toEqual([lines('out'), lines('err')])
      } else {
        const both = Buffer.concat([stdout, stderr]).toString()
        expect(both).toBe([1, 2, 3, 4, 5].map((i) => `out ${i}\nerr ${i}\n`).join(''))
      }
    })

    test('lets programs open /dev/stdout and /dev/stderr', async () => {
      const { stdout, stderr } = await run(script('echo a | tee /dev/stderr >/dev/null; echo b >/dev/stdout'))
      expect(Buffer.concat([stdout, stderr]).toString().split('\n').sort().join('')).toBe('ab')
    })

    test('gives no input', async () => {
      const { stdout, status } = await run(script('cat; echo done'))
      expect([stdout.toString(), status]).toEqual(['done\n', { kind: 'exited', code: 0 }])
    })

    test('gives no descriptor but the three', async () => {
      // `ls` itself has the directory open that it lists.
      const { stdout } = await run(script('ls /proc/self/fd | wc -l'))
      expect(Number(stdout.toString())).toBe(4)
    })

    test('ends a program that takes too long, with all that it started', async () => {
      const time = longTime()
      const status = await subject.runner.run(
        script(`sleep ${time} & setsid sleep ${time} & sleep ${time}`, { timeout: 300 }),
        () => {},
      )
      expect(status).toEqual({ kind: 'timed-out', after: 300 })
      expect(processesWith(time)).toEqual([])
    })

    test('ends what a program left running, its output arrived', async () => {
      const time = longTime()
      const { status, stdout } = await run(
        script(
          `sleep ${time} & (setsid sh -c 'echo child; sleep ${time}' &); sleep 0.2; echo parent; exit 3`,
        ),
      )
      expect(status).toEqual({ kind: 'exited', code: 3 })
      expect(stdout.toString().split('\n').sort()).toEqual(['', 'child', 'parent'])
      expect(processesWith(time)).toEqual([])
    })

    test('runs several programs at once', async () => {
      const numbers = Array.from({ length: 8 }, (_, index) => String(index))
      const results = await Promise.all(
        numbers.map((args) => run(script('sleep 0.1; echo "$1"', { args: [args] }))),
      )
      expect(results.map(({ stdout }) => stdout.toString().trim())).toEqual(numbers)
    })

    describe('says why a program cannot be started', () => {
      const failing = async (spec: RunSpec): Promise<string> => {
        const error = await subject.runner.run(spec, () => {}).catch((thrown: unknown) => thrown)
        return error instanceof SlipwayError ? error.code : String(error)
      }
      const spec = (program: ContainerPath): RunSpec => ({
        program,
        args: [],
        cwd: containerPath('/'),
        env: {},
      })

      test('it is not there', async () => {
        expect(await failing(spec(containerPath('/no/such/program')))).toBe('RUNNER_PROGRAM_MISSING')
      })
      test('it is not executable', async () => {
        expect(await failing(spec(place('plain', '#!/bin/sh\n', 0o644)))).toBe('RUNNER_NOT_EXECUTABLE')
      })
      test('its interpreter is missing', async () => {
        expect(await failing(spec(place('orphan', '#!/no/such/shell\n')))).toBe('RUNNER_INTERPRETER_MISSING')
      })
      test('its directory is missing', async () => {
        expect(await failing(script('true', { cwd: containerPath('/no/such/directory') }))).toBe(
          'RUNNER_DIRECTORY_MISSING',
        )
      })
    })
  })
}
