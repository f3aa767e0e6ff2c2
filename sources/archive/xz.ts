import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { SlipwayError } from '../../core/error.ts'
import type { FromWorker, ToWorker, XzInput } from './xz-messages.ts'

export type { XzInput } from './xz-messages.ts'

/** Threads that decompress xz: one job each, as many jobs at once as there are threads. */
export interface XzPool extends AsyncDisposable {
  /** How many jobs run at once. */
  readonly size: number
  /**
   * The decompressed bytes, in chunks of up to 1 MiB, each valid only until the next one is asked for. Waits while all
   * threads are busy; a consumer that stops early ends the job's thread.
   * @param maxBytes more than this ends the job; default 4 GiB.
   * @throws SlipwayError `SOURCE_XZ_INVALID`, `SOURCE_XZ_TOO_LARGE`, `SOURCE_XZ_THREAD_FAILED`
   */
  decompress(input: XzInput, subject: string, maxBytes?: number): AsyncIterable<Uint8Array>
}

export interface XzPoolOptions {
  /** Default: one per core. */
  readonly size?: number
  /** Where the worker's entry is; default: `xz-worker` beside this module, with this module's own extension. */
  readonly worker?: URL
}

/** A small heap makes a thread collect its garbage (64 KiB pieces from the decoder) before it is 100 MB. */
const LIMITS = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 2 }

/** Chunks of 1 MiB a thread may have on the way. */
const CREDIT = 4

/**
 * Makes the pool; a thread is started when it is first needed. Dispose it: idle threads do not keep the process alive,
 * but their memory (the dictionary of the largest archive each has seen) stays with them.
 */
export function xzPool(options: XzPoolOptions = {}): XzPool {
  const size = Math.max(1, options.size ?? availableParallelism())
  const entry = options.worker ?? besideThis()
  const idle: Worker[] = []
  const waiting: (() => void)[] = []
  let running = 0

  async function acquire(): Promise<Worker> {
    while (running >= size) await new Promise<void>((resolve) => waiting.push(resolve))
    running++
    const worker = idle.pop() ?? new Worker(entry, { resourceLimits: LIMITS })
    worker.ref()
    return worker
  }

  async function release(worker: Worker, reusable: boolean): Promise<void> {
    running--
    if (reusable) {
      worker.unref()
      idle.push(worker)
    } else await worker.terminate()
    waiting.shift()?.()
  }

  return {
    size,
    async *decompress(input, subject, maxBytes = 4 * 1024 ** 3) {
      const worker = await acquire()
      const inbox = messages(worker)
      let finished = false
      let total = 0
      try {
        worker.postMessage({ type: 'start', input, credit: CREDIT } satisfies ToWorker)
        for (;;) {
          const message = await inbox.next()
          if (message.type === 'error') {
            throw new SlipwayError('SOURCE_XZ_INVALID', `cannot decompress xz: ${message.message}`, {
              subject,
              hint: 'the file is damaged; remove it and fetch it again',
              class: 'infrastructure',
            })
          }
          if (message.type === 'died') {
            throw new SlipwayError('SOURCE_XZ_THREAD_FAILED', 'the thread that decompresses xz ended', {
              subject,
              cause: message.cause,
            })
          }
          if (message.type === 'end') break
          total += message.bytes.length
          if (total > maxBytes) {
            throw new SlipwayError('SOURCE_XZ_TOO_LARGE', `unpacks to more than ${maxBytes} bytes`, {
              subject,
              class: 'infrastructure',
            })
          }
          yield message.bytes
          const { buffer } = message.bytes
          worker.postMessage({ type: 'more', buffer } satisfies ToWorker, [buffer])
        }
        finished = true
      } finally {
        inbox.close()
        await release(worker, finished)
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(idle.splice(0).map((worker) => worker.terminate()))
    },
  }
}

/** The messages of a worker as a queue; a thread that dies is an error message. */
function messages(worker: Worker): { next(): Promise<FromWorker>; close(): void } {
  const queue: FromWorker[] = []
  let wake: (() => void) | undefined
  const push = (message: FromWorker): void => {
    queue.push(message)
    wake?.()
  }
  const onError = (cause: unknown): void => push({ type: 'died', cause })
  const onExit = (code: number): void => push({ type: 'died', cause: new Error(`thread ended with ${code}`) })
  worker.on('message', push).on('error', onError).on('exit', onExit)
  return {
    async next() {
      for (;;) {
        const message = queue.shift()
        if (message !== undefined) return message
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    close: () => void worker.off('message', push).off('error', onError).off('exit', onExit),
  }
}

function besideThis(): URL {
  return new URL(`xz-worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url)
}
