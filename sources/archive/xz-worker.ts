/**
 * The entry of a decompressing thread (see xz.ts): a file of its own, because a bundle must keep it as one.
 * It does one job at a time and never has more chunks on the way than the pool gave it credit for.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { ReadableStream } from 'node:stream/web'
import { parentPort } from 'node:worker_threads'
import * as xzDecompress from 'xz-decompress'
import type { FromWorker, ToWorker, XzInput } from './xz-messages.ts'

/** A CommonJS module whose names Node does not see: they stand under `default` there, and beside it in a bundle. */
const { XzReadableStream } =
  (xzDecompress as { readonly default?: unknown }).default === undefined
    ? xzDecompress
    : (xzDecompress.default as typeof xzDecompress)

const INPUT_CHUNK = 256 * 1024
const OUTPUT_CHUNK = 1024 * 1024

let credit = 0
let wake: (() => void) | undefined
/** Buffers that came back: with them a job makes no garbage. */
const spare: ArrayBuffer[] = []

async function send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  while (credit === 0) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  credit--
  parentPort?.postMessage({ type: 'chunk', bytes } satisfies FromWorker, [bytes.buffer])
}

async function run(input: XzInput): Promise<void> {
  let chunk = emptyChunk()
  let filled = 0
  for await (const part of new XzReadableStream(
    compressed(input) as never,
  ) as never as AsyncIterable<Uint8Array>) {
    for (let taken = 0; taken < part.length; ) {
      const length = Math.min(part.length - taken, OUTPUT_CHUNK - filled)
      chunk.set(part.subarray(taken, taken + length), filled)
      taken += length
      filled += length
      if (filled === OUTPUT_CHUNK) {
        await send(chunk)
        chunk = emptyChunk()
        filled = 0
      }
    }
  }
  if (filled > 0) await send(chunk.subarray(0, filled))
}

function emptyChunk(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(spare.pop() ?? new ArrayBuffer(OUTPUT_CHUNK))
}

function compressed(input: XzInput): ReadableStream<Uint8Array> {
  if ('bytes' in input) {
    return new ReadableStream({
      start(controller) {
        controller.enqueue(input.bytes)
        controller.close()
      },
    })
  }
  const fd = openSync(Buffer.from(input.path, 'latin1'), 'r')
  let at = input.offset
  const end = input.offset + input.size
  return new ReadableStream(
    {
      pull(controller) {
        const buffer = new Uint8Array(Math.min(INPUT_CHUNK, end - at))
        const read = at < end ? readSync(fd, buffer, 0, buffer.length, at) : 0
        at += read
        if (read > 0) return controller.enqueue(buffer.subarray(0, read))
        closeSync(fd)
        controller.close()
      },
      cancel: () => closeSync(fd),
    },
    { highWaterMark: 0 },
  )
}

parentPort?.on('message', (message: ToWorker) => {
  if (message.type === 'more') {
    credit++
    spare.push(message.buffer)
    wake?.()
    return
  }
  credit = message.credit
  run(message.input).then(
    () => parentPort?.postMessage({ type: 'end' } satisfies FromWorker),
    (error: unknown) =>
      parentPort?.postMessage({
        type: 'error',
        message: error instanceof Error ? error.message : String(error),
      } satisfies FromWorker),
  )
})
