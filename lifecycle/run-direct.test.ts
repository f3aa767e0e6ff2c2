import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { containerPath } from '../core/container-path.ts'
import { SlipwayError } from '../core/error.ts'
import { directRunner } from './run-direct.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'run-direct.'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const PATH = process.env.PATH ?? '/usr/bin:/bin'
const MARK = { CNB_BP_PLAN_PATH: `/tmp/plan.${process.pid}.${Date.now()}/plan.toml` }

async function run(script: string, options: { env?: Record<string, string>; timeout?: number } = {}) {
  const program = join(directory, 'program')
  writeFileSync(program, `#!/bin/bash\n${script}\n`, { mode: 0o755 })
  const chunks: Uint8Array[] = []
  const status = await directRunner({ PATH }).run(
    {
      program: containerPath(program),
      args: ['one', 'two words'],
      cwd: containerPath(directory),
      env: { PATH, ...options.env },
      ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    },
    (chunk) => chunks.push(chunk),
  )
  return { status, output: Buffer.concat(chunks).toString() }
}

describe('the direct runner', () => {
  test('gives arguments, directory, exactly the environment, umask and both outputs in order', async () => {
    const { status, output } = await run(
      'echo "$@"; pwd >&2; umask; echo to the device >/dev/stderr; /usr/bin/env | sort; exit 7',
      { env: { A: '1=2' } },
    )
    expect(status).toEqual({ kind: 'exited', code: 7 })
    const lines = output.trimEnd().split('\n')
    expect(lines.slice(0, 4)).toEqual(['one two words', directory, '0022', 'to the device'])
    // bash itself adds these to what it starts.
    expect(lines.slice(4).filter((line) => !/^(PWD|SHLVL|_)=/.test(line))).toEqual(['A=1=2', `PATH=${PATH}`])
  })

  test('tells a signal from an exit code', async () => {
    expect((await run('kill -TERM $$')).status).toEqual({ kind: 'signalled', signal: 'SIGTERM' })
  })

  test('ends a program that takes too long, and keeps what it said', async () => {
    const { status, output } = await run('echo before; sleep 600', { timeout: 300 })
    expect(status).toEqual({ kind: 'timed-out', after: 300 })
    expect(output).toBe('before\n')
  })

  const daemon = `bash -c 'echo $$ >pid; exec sleep 600'`
  test.each([
    ['in its group', `${daemon} &`, {}],
    ['in another session', `setsid ${daemon} &`, {}],
    ['in another session with the outputs closed', `setsid ${daemon} >/dev/null 2>&1 &`, MARK],
    ['whose parent has ended', `(setsid ${daemon} &)`, {}],
  ])('ends a child %s', async (_, start, env) => {
    const { status } = await run(`${start}\nwhile [ ! -s pid ]; do :; done`, { env })
    expect(status).toEqual({ kind: 'exited', code: 0 })
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'))
    expect(pid).toBeGreaterThan(1)
    expect(isRunning(pid)).toBe(false)
  })

  test.each([
    ['missing', 'RUNNER_PROGRAM_MISSING', () => {}],
    [
      'not executable',
      'RUNNER_NOT_EXECUTABLE',
      (path: string) => writeFileSync(path, '#!/bin/sh\n', { mode: 0o644 }),
    ],
    [
      'for an interpreter that is missing',
      'RUNNER_INTERPRETER_MISSING',
      (path: string) => writeFileSync(path, '#!/no/such/interpreter\n', { mode: 0o755 }),
    ],
    ['a directory', 'RUNNER_NOT_EXECUTABLE', (path: string) => mkdirSync(path)],
  ])('says that the program is %s', async (_, code, make) => {
    const program = join(directory, 'other')
    make(program)
    const started = directRunner({ PATH }).run(
      { program: containerPath(program), args: [], cwd: containerPath(directory), env: {} },
      () => {},
    )
    await expect(started).rejects.toMatchObject({ code, subject: program })
  })

  test('says that the directory is missing', async () => {
    const started = directRunner({ PATH }).run(
      { program: containerPath('/bin/true'), args: [], cwd: containerPath('/no/such'), env: {} },
      () => {},
    )
    await expect(started).rejects.toBeInstanceOf(SlipwayError)
    await expect(started).rejects.toMatchObject({ code: 'RUNNER_DIRECTORY_MISSING' })
  })

  test('works without mkfifo, with a pipe for each output', async () => {
    const chunks: string[] = []
    const status = await directRunner({ PATH: '/nowhere' }).run(
      {
        program: containerPath('/bin/sh'),
        args: ['-c', 'echo a; echo b >&2'],
        cwd: containerPath('/'),
        env: {},
      },
      (chunk, stream) => chunks.push(`${stream} ${Buffer.from(chunk)}`),
    )
    expect(status).toEqual({ kind: 'exited', code: 0 })
    expect(chunks.sort()).toEqual(['stderr b\n', 'stdout a\n'])
  })
})

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}
