import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { WorkerTask } from './worker.ts'

/** A folder of the running test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'slipway-load-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export interface Worker {
  readonly child: ChildProcess
  /** Digests of the blobs that it sent, so far. */
  readonly sent: string[]
  /** Settles when it has sent a blob. */
  readonly begun: Promise<void>
  /** Settles when it has ended as it should. */
  readonly done: Promise<void>
  start(): void
}

/** A process that is ready and waits for its start; it ends with the test. */
export async function worker(task: WorkerTask): Promise<Worker> {
  const program = fileURLToPath(new URL('worker.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const sent: string[] = []
  const [ready, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') return ready.resolve()
    sent.push(line.replace('sent ', ''))
    begun.resolve()
  })
  const done = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`a process ended with ${code}: ${errors}`)
  })
  await Promise.race([ready.promise, done])
  return { child, sent, begun: begun.promise, done, start: () => void child.stdin.end('go\n') }
}
