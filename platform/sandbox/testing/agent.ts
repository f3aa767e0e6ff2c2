/**
 * A sandbox in a process of another user, driven over its input and output by {@link agentSandbox}: root's tests show
 * with it what an ordinary user's sandbox does. One JSON line for each request and each answer.
 */
import { createInterface } from 'node:readline'
import { SlipwayError } from '../../../core/error.ts'
import type { RunSpec, RunStatus } from '../../../core/runner.ts'
import { createSandbox, type Sandbox, type SandboxOptions } from '../sandbox.ts'

export type Request =
  | { readonly id: number; readonly kind: 'create'; readonly options: SandboxOptions }
  | { readonly id: number; readonly kind: 'run'; readonly spec: RunSpec }
  | { readonly id: number; readonly kind: 'dispose' }

export type Reply =
  | { readonly id: number; readonly kind: 'done'; readonly status?: RunStatus }
  | {
      readonly id: number
      readonly kind: 'output'
      readonly stream: 'stdout' | 'stderr'
      readonly chunk: string
    }
  | { readonly id: number; readonly kind: 'error'; readonly code: string; readonly message: string }

let sandbox: Sandbox | undefined

function reply(message: Reply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

async function handle(request: Request): Promise<Reply> {
  const { id } = request
  if (request.kind === 'create') {
    sandbox = await createSandbox(request.options)
    return { id, kind: 'done' }
  }
  if (request.kind === 'run') {
    const status = await sandbox?.run(request.spec, (chunk, stream) =>
      reply({ id, kind: 'output', stream, chunk: Buffer.from(chunk).toString('base64') }),
    )
    return status === undefined ? { id, kind: 'done' } : { id, kind: 'done', status }
  }
  await sandbox?.[Symbol.asyncDispose]()
  return { id, kind: 'done' }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request
  void handle(request)
    .catch((error: Error): Reply => {
      const code = error instanceof SlipwayError ? error.code : 'UNEXPECTED'
      return { id: request.id, kind: 'error', code, message: error.message }
    })
    .then(reply)
}
