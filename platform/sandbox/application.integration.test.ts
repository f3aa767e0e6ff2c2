import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RunSpec } from '../../core/runner.ts'
import { handOver } from './host-owner.ts'
import { longTime, processesWith, script } from './testing/runner-contract.ts'
import { makeWorld, optionsFor, until, type World } from './testing/world.ts'

describe('the end of the process that made it', () => {
  test.each(['bubblewrap', 'unshare'])('ends all that runs in it (%s)', async (driver) => {
    using world = makeWorld()
    handOver(world.workspace)
    const time = longTime()
    const child = startApplication(world, driver, script(`setsid sleep ${time} & sleep ${time}`))
    await until(() => processesWith(time).length === 2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(() => processesWith(time).length === 0)
  })
})

describe('an application', () => {
  test.each(['bubblewrap', 'unshare'])(
    'ends gracefully by the signal that reached this process (%s)',
    async (driver) => {
      using world = makeWorld()
      handOver(world.workspace)
      const text = 'trap "echo ended; exit 5" TERM INT; echo ready; while :; do sleep 0.05; done'
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const child = startApplication(world, driver, script(text))
        let output = ''
        child.stdout?.on('data', (chunk) => {
          output += chunk
          // To the whole process group, as a terminal does.
          if (output === 'ready\n') process.kill(-(child.pid ?? 0), signal)
        })
        let answer = ''
        child.stderr?.on('data', (chunk) => (answer += chunk))
        await once(child, 'close')
        expect(output).toBe('ready\nended\n')
        expect(JSON.parse(answer)).toEqual({ kind: 'exited', code: 5 })
      }
    },
  )

  test('that does not end is ended by the second signal', async () => {
    using world = makeWorld()
    handOver(world.workspace)
    const child = startApplication(
      world,
      'unshare',
      script('trap "echo again" TERM; echo ready; while :; do sleep 0.05; done'),
    )
    child.stdout?.on('data', () => child.kill('SIGTERM'))
    let answer = ''
    child.stderr?.on('data', (chunk) => (answer += chunk))
    await once(child, 'close')
    expect(JSON.parse(answer)).toEqual({ kind: 'signalled', signal: 'SIGKILL' })
  })
})

/** What a killed process leaves behind, it leaves in the world. */
function startApplication(world: World, driver: string, spec: RunSpec): ChildProcess {
  const path = join(import.meta.dirname, 'testing', 'application-process.ts')
  const options = optionsFor(world, { driver })
  return spawn(process.execPath, [path, JSON.stringify(options), JSON.stringify(spec)], {
    env: { PATH: process.env.PATH, TMPDIR: world.top },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
