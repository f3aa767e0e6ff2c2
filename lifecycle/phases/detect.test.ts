import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import type { EventBody } from '../../core/event.ts'
import { mountedRoot } from '../../core/root.ts'
import type { Runner, RunSpec, RunStatus } from '../../core/runner.ts'
import { parseApiVersion } from '../../spec/api-version.ts'
import { parseOrder } from '../../spec/files/order.ts'
import { detect } from './detect.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'detect.'))
  mkdirSync(join(directory, 'tmp'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const IDS = ['a', 'b', 'c', 'd', 'e']

function detected(run: (id: string, plan: string) => Promise<RunStatus>, concurrency: number) {
  for (const id of IDS) {
    mkdirSync(join(directory, `bp/${id}/1.0.0/bin`), { recursive: true })
    writeFileSync(
      join(directory, `bp/${id}/1.0.0/buildpack.toml`),
      `api = "0.12"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n`,
    )
  }
  const members = IDS.map((id) => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`).join('')
  const events: EventBody[] = []
  const runner: Runner = {
    baseEnvironment: {},
    run: async ({ program, args }: RunSpec, onOutput) => {
      const id = program.split('/')[2] ?? ''
      onOutput(Buffer.from(id), 'stdout')
      return run(id, args[1] ?? '')
    },
  }
  const result = detect(
    {
      order: parseOrder(`[[order]]\n${members}[[order]]\n${members}`, { file: 'order.toml' }),
      appDir: containerPath('/app'),
      platformDir: containerPath('/platform'),
      buildConfigDir: containerPath('/config'),
      buildpacksDir: containerPath('/bp'),
      extensionsDir: containerPath('/ext'),
      execEnv: 'production',
      concurrency,
    },
    {
      root: mountedRoot(directory, []),
      runner,
      emit: (event) => events.push(event),
      platformApi: parseApiVersion('0.15'),
    },
  )
  return { result, events }
}

test('runs so many at a time, each once in all groups, and tells their output in order', async () => {
  let running = 0
  let most = 0
  const runs: string[] = []
  const { result, events } = detected(async (id) => {
    runs.push(id)
    most = Math.max(most, ++running)
    // The first one takes longest, so that the order of ends is not that of the group.
    await setTimeout(id === 'a' ? 30 : 5)
    running--
    return { kind: 'exited', code: id === 'e' ? 100 : 0 }
  }, 2)
  await expect(result).rejects.toMatchObject({ code: 'DETECT_NO_GROUP', exitCode: 20, class: 'user' })
  expect(most).toBe(2)
  expect(runs).toEqual(IDS)
  const told = events.flatMap((event) => (event.type === 'detect-output' ? [event.buildpack.id] : []))
  expect(told).toEqual([...IDS, ...IDS])
  expect(events.at(-2)).toEqual({ type: 'detect-failed', erroredBuildpack: false })
  expect(readdirSync(join(directory, 'tmp'))).toEqual([])
})

test.each([1, 2, 5])('each has a plan file of its own, %i at a time', async (concurrency) => {
  const plans: string[] = []
  const { result } = detected(async (_, plan) => {
    plans.push(plan)
    await setTimeout(1)
    return { kind: 'exited', code: 100 }
  }, concurrency)
  await expect(result).rejects.toMatchObject({ code: 'DETECT_NO_GROUP' })
  expect(new Set(plans).size).toBe(IDS.length)
})

test('a sandbox that cannot be made is nobody’s verdict: it ends detection once all runs have ended', async () => {
  let running = 0
  const { result, events } = detected(async (id) => {
    running++
    await setTimeout(id === 'b' ? 20 : 1)
    running--
    if (id === 'a') throw new SlipwayError('SANDBOX_FAILED', 'no namespaces', { class: 'infrastructure' })
    return { kind: 'exited', code: 0 }
  }, 5)
  await expect(result).rejects.toMatchObject({ code: 'SANDBOX_FAILED', exitCode: 22 })
  expect(running).toBe(0)
  expect(events.some(({ type }) => type === 'detect-failed')).toBe(false)
})

test('a time-out and a signal are errors of the buildpack, with a reason', async () => {
  const { result, events } = detected(
    async (id) => (id === 'a' ? { kind: 'timed-out', after: 5 } : { kind: 'signalled', signal: 'SIGSEGV' }),
    5,
  )
  await expect(result).rejects.toMatchObject({ code: 'DETECT_BUILDPACK_ERROR', exitCode: 21 })
  const reasons = events.flatMap((event) => (event.type === 'detect-result' ? [event.reason] : []))
  expect(reasons.slice(0, 2)).toEqual([
    'bin/detect did not end within 5 ms',
    'bin/detect was ended by SIGSEGV',
  ])
})
