import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import type { Runner } from '../../core/runner.ts'
import { hostOwner } from './host-owner.ts'
import type { SandboxOptions } from './sandbox.ts'
import { type AgentSandbox, agentSandbox, ORDINARY } from './testing/agent-client.ts'
import {
  collect,
  longTime,
  processesWith,
  type RunnerUnderTest,
  runnerContract,
  script,
} from './testing/runner-contract.ts'
import { makeHere, makeWorld, optionsFor, until, WORKSPACE, type World } from './testing/world.ts'

const isRoot = process.geteuid?.() === 0

/** How a sandbox is made by each kind of user that can be had here. */
type Make = (world: World, more?: Partial<SandboxOptions>) => Promise<Runner & AsyncDisposable>

const makeByAgent = (world: World, more: Partial<SandboxOptions> = {}): Promise<AgentSandbox> =>
  agentSandbox(world.top, optionsFor(world, more))

const users: readonly { readonly who: string; readonly make: Make; readonly owner: number }[] = [
  { who: isRoot ? 'root' : 'an ordinary user', make: makeHere, owner: hostOwner().uid },
  ...(isRoot ? [{ who: 'an ordinary user', make: makeByAgent, owner: ORDINARY }] : []),
]

for (const driver of ['bubblewrap', 'unshare']) {
  for (const { who, make, owner } of users) {
    runnerContract(`${driver} as ${who}: a runner`, async (): Promise<RunnerUnderTest> => {
      const world = makeWorld()
      const runner = await make(world, { driver })
      return {
        runner,
        directory: WORKSPACE,
        hostDirectory: world.workspace,
        separate: true,
        [Symbol.asyncDispose]: async () => {
          await runner[Symbol.asyncDispose]()
          world[Symbol.dispose]()
        },
      }
    })

    describe(`${driver} as ${who}: a sandbox`, () => {
      const world = makeWorld()
      let sandbox: Runner & AsyncDisposable
      let server: Server
      beforeAll(async () => {
        server = createServer((socket) => socket.end('hello\n')).listen(0, '127.0.0.1')
        await once(server, 'listening')
        mkdirSync(join(world.top, 'reading'))
        writeFileSync(join(world.top, 'reading', 'file'), 'text')
        sandbox = await make(world, { driver, mounts: mountsWithReading(world) })
      })
      afterAll(async () => {
        await sandbox?.[Symbol.asyncDispose]()
        server.close()
        world[Symbol.dispose]()
      })
      const say = async (text: string): Promise<string> => {
        const { stdout, stderr } = await collect(sandbox, script(text))
        return Buffer.concat([stdout, stderr]).toString().trim()
      }
      const port = () => {
        const address = server.address()
        return typeof address === 'object' ? address?.port : undefined
      }

      test('runs programs as the user of the image', async () => {
        expect(await say('id -u; id -g')).toBe('1001\n1002')
      })

      test('writes to a mount as the owner of sandboxes, who is never root', async () => {
        await say(
          'echo text > /workspace/written; mkdir /workspace/folder; stat -c "%u %g %a" /workspace/written',
        )
        expect(owner).not.toBe(0)
        expect(statSync(join(world.workspace, 'written')).uid).toBe(owner)
        expect(readFileSync(join(world.workspace, 'written'), 'utf8')).toBe('text\n')
        expect(await say('stat -c "%u %g %a" /workspace/written /workspace/folder')).toBe(
          '1001 1002 644\n1001 1002 755',
        )
      })

      test('shows nothing of the machine', async () => {
        const seen = (await say('ls -A /')).split('\n')
        const own = readdirSync(world.rootfs)
        expect(seen.sort()).toEqual(own.sort())
        expect(seen).not.toContain('root')
        expect(seen).not.toContain('home')
        expect(await say(`ls ${world.top}`)).toMatch(/No such file/)
        expect(await say('ls -A /tmp')).toBe('')
        expect(await say('hostname')).toBe('slipway')
        expect((await say('ls /proc | grep -c "^[0-9]"')).length).toBe(1)
      })

      test('lets nothing be written but what was given for it', async () => {
        for (const path of [
          '/file',
          '/etc/os-release',
          '/usr/file',
          '/reading/file',
          '/etc/hosts',
          '/proc/sys/kernel/hostname',
        ])
          expect(await say(`echo x > ${path}`)).toMatch(/Read-only|Permission denied/)
        expect(await say('cat /reading/file')).toBe('text')
        expect(readFileSync(join(world.top, 'reading', 'file'), 'utf8')).toBe('text')
      })

      test('has no privilege and no way to one', async () => {
        const status = await say('grep -E "^(Cap|NoNewPrivs)" /proc/self/status')
        expect(status.match(/^Cap\w+:\s+0+$/gm)).toHaveLength(5)
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
        expect(await say('mount -t tmpfs none /workspace 2>&1 || echo refused')).toMatch(/refused/)
        expect(await say('umount /reading 2>&1 || echo refused')).toMatch(/refused/)
      })

      test('keeps its first process out of reach', async () => {
        expect(
          await say('kill -9 1 2>&1; kill -TERM 1 2>&1; ls /proc/1/fd 2>&1 >/dev/null; echo alive'),
        ).toMatch(/Permission denied\nalive$/)
      })

      test('has a terminal of nobody', async () => {
        expect(await say('(: </dev/tty) 2>&1')).toMatch(/No such device|cannot open|ENXIO/)
      })

      test('has the devices and places that programs expect', async () => {
        const nodes = 'for n in null zero full random urandom; do test -c /dev/$n || echo $n; done'
        expect(
          await say(`${nodes}; echo x > /dev/null; head -c 4 /dev/urandom | wc -c; echo x > /dev/shm/file`),
        ).toBe('4')
        expect(await say('echo kept > /tmp/file; cat /tmp/file')).toBe('kept')
        expect(await say('ls -A /tmp; stat -c %a /tmp')).toBe('1777')
      })

      test('reaches the network of the machine, and looks names up as it does', async () => {
        expect(await say(`bash -c 'cat < /dev/tcp/127.0.0.1/${port()}'`)).toBe('hello')
        expect(await say('getent hosts slipway')).toMatch(/127\.0\.0\.1/)
        expect(await say('cat /etc/resolv.conf')).toBe(readFileSync('/etc/resolv.conf', 'utf8').trim())
      })

      test('without network has a loopback of its own', async () => {
        using another = makeWorld()
        await using alone = await make(another, { driver, network: 'none' })
        const text = `bash -c 'cat < /dev/tcp/127.0.0.1/${port()}'; tail -n +3 /proc/net/dev | cut -d: -f1`
        const { stdout, stderr } = await collect(alone, script(text))
        expect(stderr.toString()).toMatch(/Connection refused/)
        expect(stdout.toString().trim()).toBe('lo')
      })

      test('says nothing of the environment on a command line', async () => {
        const time = longTime()
        const running = collect(
          sandbox,
          script(`sleep ${time}`, { env: { SECRET: 'hunter2', PATH: '/usr/bin' }, timeout: 1000 }),
        )
        await until(() => processesWith(time).length > 0)
        const lines = readdirSync('/proc')
          .filter((name) => /^\d+$/.test(name))
          .map((name) => readIfThere(`/proc/${name}/cmdline`))
        expect(lines.filter((line) => line.includes('hunter2'))).toEqual([])
        await running
      })
    })
  }
}

function mountsWithReading(world: World): SandboxOptions['mounts'] {
  return [
    ...optionsFor(world).mounts,
    { path: containerPath('/reading'), host: join(world.top, 'reading'), writable: false },
  ]
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
