import { setTimeout as sleepFor } from 'node:timers/promises'
import { SlipwayError } from '../error.ts'
import type { HttpClient, HttpRequest, HttpResponse, Method } from './types.ts'

/**
 * Trying again, in one place: a request (`withRetry`) or a larger unit such as the upload of a blob (`createRetrier`).
 * The two are never nested: a retrying client carries the one that sends once, and the larger unit uses that.
 */

export interface RetryOptions {
  /** Tries altogether. Default 5. */
  readonly attempts?: number
  /** Milliseconds before the second try, doubled with each further one, ±10 %. Default 250. */
  readonly delay?: number
  /** Default 10 s. */
  readonly maxDelay?: number
  /** The longest `Retry-After` that is waited for; a longer one ends the tries. Default 120 s. */
  readonly maxRetryAfter?: number
  /** Told before each wait, for a log. `reason` holds no secret. */
  readonly onRetry?: (retry: {
    readonly attempt: number
    readonly milliseconds: number
    readonly reason: string
  }) => void
  /** For tests. */
  readonly sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<unknown>
  readonly now?: () => number
  readonly random?: () => number
}

/** Thrown inside a unit of work to say: this may pass. What is thrown in the end is `error`. */
export class Temporary extends Error {
  readonly error: Error
  readonly retryAfter: number | undefined

  constructor(error: Error, retryAfter?: number) {
    super(error.message, { cause: error })
    this.error = error
    this.retryAfter = retryAfter
  }
}

export interface Retrier {
  /**
   * Runs `work` until it succeeds, fails for good, or the tries are used up. {@link Temporary} and lost connections are
   * tried again. A `Retry-After` holds back every unit of work for the same origin.
   */
  run<T>(origin: string, work: (attempt: number) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** Statuses that may pass: 499 and 522 come from proxies in front of registries. */
const TEMPORARY_STATUS = new Set([408, 425, 429, 499, 500, 502, 503, 504, 522])
/** Statuses after which even a request that changes something was certainly not carried out. */
const NOT_DONE_STATUS = new Set([408, 425, 429, 503])
const TEMPORARY_CODE = new Set([
  'HTTP_CONNECTION_LOST',
  'HTTP_TIMEOUT',
  'HTTP_CONNECT_FAILED',
  'HTTP_ANSWER_INVALID',
])

export function isTemporaryStatus(status: number): boolean {
  return TEMPORARY_STATUS.has(status)
}

export function isTemporaryError(thrown: unknown): boolean {
  if (thrown instanceof Temporary) return true
  // A name that does not exist will not exist in a second either.
  return (
    thrown instanceof SlipwayError && TEMPORARY_CODE.has(thrown.code) && causeCode(thrown) !== 'ENOTFOUND'
  )
}

function causeCode(error: Error): unknown {
  return (error.cause as { code?: unknown } | undefined)?.code
}

/** Milliseconds that a `Retry-After` asks for (seconds, or an HTTP date), never negative; undefined where it says nothing. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  // Date.parse also reads `-5` and other shreds; a date of HTTP begins with the name of a day.
  return Number.isNaN(date) || !/^[A-Z][a-z]{2}/.test(text) ? undefined : Math.max(0, date - now)
}

async function sleepUnlessAborted(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleepFor(milliseconds, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throw signal === undefined ? error : aborted(signal)
  }
}

function aborted(signal: AbortSignal): SlipwayError {
  if (signal.reason instanceof SlipwayError) return signal.reason
  return new SlipwayError('HTTP_ABORTED', 'the request was cancelled', {
    cause: signal.reason,
    class: 'infrastructure',
  })
}

export function createRetrier(options: RetryOptions = {}): Retrier {
  const attempts = options.attempts ?? 5
  const now = options.now ?? Date.now
  const random = options.random ?? Math.random
  const sleep = options.sleep ?? sleepUnlessAborted
  const maxRetryAfter = options.maxRetryAfter ?? 120_000
  const notBefore = new Map<string, number>()

  const gate = async (origin: string, signal?: AbortSignal) => {
    const wait = (notBefore.get(origin) ?? 0) - now()
    if (wait > 0) await sleep(wait, signal)
    else notBefore.delete(origin)
  }
  const pause = (attempt: number) => {
    const doubled = Math.min((options.delay ?? 250) * 2 ** (attempt - 1), options.maxDelay ?? 10_000)
    return Math.round(doubled * (0.9 + 0.2 * random()))
  }

  /** Waits as long as it takes before the next try, or throws what the last one failed with. */
  const prepare = async (origin: string, attempt: number, thrown: unknown, signal?: AbortSignal) => {
    const asked = thrown instanceof Temporary ? thrown.retryAfter : undefined
    if (signal?.aborted === true) throw aborted(signal)
    const over = attempt >= attempts || (asked ?? 0) > maxRetryAfter
    if (over || !isTemporaryError(thrown)) throw thrown instanceof Temporary ? thrown.error : thrown
    const milliseconds = asked ?? pause(attempt)
    options.onRetry?.({ attempt, milliseconds, reason: (thrown as Error).message })
    if (asked === undefined) await sleep(milliseconds, signal)
    else notBefore.set(origin, Math.max(notBefore.get(origin) ?? 0, now() + asked))
  }

  return {
    async run(origin, work, signal) {
      for (let attempt = 1; ; attempt++) {
        await gate(origin, signal)
        try {
          return await work(attempt)
        } catch (thrown) {
          await prepare(origin, attempt, thrown, signal)
        }
      }
    },
  }
}

/** Methods that may be sent twice with the effect of once. */
const IDEMPOTENT: ReadonlySet<Method> = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])

/** Thrown to the retrier in place of an answer, so that the last one can still be handed out. */
class TemporaryAnswer extends Temporary {
  readonly response: HttpResponse

  constructor(response: HttpResponse, wait: number | undefined) {
    super(new Error(`status ${response.status}`), wait)
    this.response = response
  }
}

/**
 * A client that sends again after 408, 425, 429, 5xx and lost connections; POST and PATCH only after an answer that says
 * they were not carried out, or when no connection came about. The last answer is returned whatever its status. A failure
 * while the answer's body is read is the reader's: it knows how to go on. Wrapping twice is the same as once.
 */
export function withRetry(client: HttpClient, options: RetryOptions = {}, shared?: Retrier): HttpClient {
  const once = client.once ?? client
  const retrier = shared ?? createRetrier(options)
  const now = options.now ?? Date.now
  return {
    once,
    close: () => once.close(),
    send: async (request) => {
      let last: HttpResponse | undefined
      try {
        return await retrier.run(
          originOf(request.url),
          async () => {
            await last?.discard()
            last = undefined
            const response = await sendOnce(once, request)
            if (!mayRepeat(request.method, response.status)) return response
            last = response
            throw new TemporaryAnswer(response, retryAfter(response.headers.get('retry-after'), now()))
          },
          request.signal,
        )
      } catch (thrown) {
        if (last !== undefined && request.signal?.aborted !== true) return last
        throw thrown instanceof Permanent ? thrown.error : thrown
      }
    },
  }
}

/** Hides a temporary error from the retrier, for a request that may have been carried out. */
class Permanent extends Error {
  readonly error: unknown

  constructor(error: unknown) {
    super('not to be repeated', { cause: error })
    this.error = error
  }
}

async function sendOnce(client: HttpClient, request: HttpRequest): Promise<HttpResponse> {
  try {
    return await client.send(request)
  } catch (error) {
    const unsent = error instanceof SlipwayError && error.code === 'HTTP_CONNECT_FAILED'
    throw IDEMPOTENT.has(request.method) || unsent ? error : new Permanent(error)
  }
}

function mayRepeat(method: Method, status: number): boolean {
  return IDEMPOTENT.has(method) ? TEMPORARY_STATUS.has(status) : NOT_DONE_STATUS.has(status)
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
