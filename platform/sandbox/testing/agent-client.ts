import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, cpSync, lchownSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { type ErrorCode, SlipwayError } from '../../../core/error.ts'
import type { OnOutput, Runner, RunStatus } from '../../../core/runner.ts'
import type { SandboxOptions } from '../sandbox.ts'
import type { Reply, Request } from './agent.ts'

/** A user of this machine that nothing belongs to. */
export const ORDINARY = 61_001

type Body<T> = T extends Request ? Omit<T, 'id'> : never

/** A sandbox of an ordinary user, made by root: `process` is that user's. */
export interface AgentSandbox extends Runner, AsyncDisposable {
  readonly process: ChildProcess
}

/**
 * Starts the agent as an ordinary user from `folder`, to which it is copied with its Node: that user may not read the
 * clone. Everything in the folder is given to that user.
 */
export async function agentSandbox(folder: string, options: SandboxOptions): Promise<AgentSandbox> {
  const node = join(folder, 'node')
  const agent = join(folder, 'agent.mjs')
  const helper = join(folder, 'helper')
  copyFileSync(process.execPath, node)
  cpSync(options.helper, helper)
  await build({
    entryPoints: [join(import.meta.dirname, 'agent.ts')],
    outfile: agent,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'error',
  })
  giveTo(folder, ORDINARY)
  chmodSync(folder, 0o755)
  const child = spawn(node, [agent], {
    uid: ORDINARY,
    gid: ORDINARY,
    cwd: '/',
    env: { PATH: process.env.PATH, TMPDIR: folder },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const listeners = new Map<number, (reply: Reply) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const reply = JSON.parse(line) as Reply
    listeners.get(reply.id)?.(reply)
  })
  let last = 0

  function ask(body: Body<Request>, onOutput?: OnOutput): Promise<RunStatus | undefined> {
    const id = ++last
    return new Promise((resolve, reject) => {
      listeners.set(id, (reply) => {
        if (reply.kind === 'output') {
          onOutput?.(Buffer.from(reply.chunk, 'base64'), reply.stream)
          return
        }
        listeners.delete(id)
        if (reply.kind === 'done') resolve(reply.status)
        else reject(new SlipwayError(reply.code as ErrorCode, reply.message))
      })
      child.stdin.write(`${JSON.stringify({ ...body, id })}\n`)
    })
  }

  await ask({ kind: 'create', options: { ...options, helper } })
  return {
    process: child,
    baseEnvironment: options.baseEnvironment,
    run: async (spec, onOutput) => {
      const status = await ask({ kind: 'run', spec }, onOutput)
      if (status === undefined) throw new Error('the agent has no sandbox')
      return status
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      await ask({ kind: 'dispose' })
      child.stdin.end()
      await once(child, 'exit')
    },
  }
}

function giveTo(path: string, owner: number): void {
  lchownSync(path, owner, owner)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) giveTo(child, owner)
    else lchownSync(child, owner, owner)
  }
}
