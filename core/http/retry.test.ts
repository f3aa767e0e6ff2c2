import { describe, expect, it } from 'vitest'
import { SlipwayError } from '../error.ts'
import { createRetrier, retryAfter, Temporary, withRetry } from './retry.ts'
import type { HttpClient, HttpRequest, HttpResponse } from './types.ts'

type Step = number | SlipwayError | { readonly status: number; readonly retryAfter: string }

/** A client that plays a list of answers and failures. */
function scripted(...steps: Step[]): HttpClient & { sent: number; discarded: number } {
  const client = {
    sent: 0,
    discarded: 0,
    close: async () => {},
    send: async (request: HttpRequest): Promise<HttpResponse> => {
      const step = steps[client.sent++]
      if (step === undefined) throw new Error('the script is over')
      if (step instanceof SlipwayError) throw step
      const status = typeof step === 'number' ? step : step.status
      const header = typeof step === 'number' ? undefined : step.retryAfter
      return {
        status,
        url: request.url,
        headers: { get: (name) => (name === 'retry-after' ? header : undefined), all: () => [] },
        body: (async function* () {})(),
        bytes: async () => new Uint8Array(),
        text: async () => '',
        json: async () => null,
        discard: async () => {
          client.discarded++
        },
      }
    },
  }
  return client
}

const lost = new SlipwayError('HTTP_CONNECTION_LOST', 'lost')
const refused = new SlipwayError('HTTP_CONNECT_FAILED', 'refused')
const unknownName = new SlipwayError('HTTP_CONNECT_FAILED', 'no such name', {
  cause: Object.assign(new Error('x'), { code: 'ENOTFOUND' }),
})
const get: HttpRequest = { method: 'GET', url: 'https://a.example/x' }

function recorder() {
  const waits: number[] = []
  let time = 1_000_000
  return {
    waits,
    options: {
      random: () => 0.5,
      now: () => time,
      sleep: async (milliseconds: number) => {
        waits.push(milliseconds)
        time += milliseconds
      },
    },
  }
}

describe('withRetry', () => {
  it('doubles its waits and returns the last answer when nothing helps', async () => {
    const client = scripted(500, 502, 503, 504, 429)
    const { waits, options } = recorder()
    expect((await withRetry(client, options).send(get)).status).toBe(429)
    expect(waits).toEqual([250, 500, 1000, 2000])
    expect(client).toMatchObject({ sent: 5, discarded: 4 })
  })

  it('sends again after a lost connection, not after what cannot pass', async () => {
    const { options } = recorder()
    expect((await withRetry(scripted(lost, refused, 200), options).send(get)).status).toBe(200)
    for (const status of [400, 401, 403, 404, 416, 501]) {
      const client = scripted(status)
      expect((await withRetry(client, options).send(get)).status).toBe(status)
      expect(client.sent).toBe(1)
    }
    const client = scripted(unknownName)
    await expect(withRetry(client, options).send(get)).rejects.toBe(unknownName)
    expect(client.sent).toBe(1)
  })

  it('sends a POST again only when it was certainly not carried out', async () => {
    const { options } = recorder()
    const post: HttpRequest = { method: 'POST', url: get.url, body: Buffer.from('x') }
    expect((await withRetry(scripted(refused, 429, 503, 201), options).send(post)).status).toBe(201)
    for (const step of [lost, 500, 502] as const) {
      const client = scripted(step, 200)
      await withRetry(client, options)
        .send(post)
        .then(
          ({ status }) => expect(status).toBe(step),
          (error) => expect(error).toBe(lost),
        )
      expect(client.sent).toBe(1)
    }
  })

  it('waits for Retry-After, with all that goes to the same origin', async () => {
    const { waits, options } = recorder()
    const client = withRetry(
      scripted({ status: 429, retryAfter: '3' }, 200, { status: 429, retryAfter: '500' }),
      options,
    )
    expect((await client.send(get)).status).toBe(200)
    expect(waits).toEqual([3000])
    expect((await client.send(get)).status).toBe(429)
    expect(waits).toEqual([3000])
  })

  it('is never nested', async () => {
    const client = scripted(500, 500, 500, 500, 500, 200)
    const { options } = recorder()
    const twice = withRetry(withRetry(client, options), options)
    expect((await twice.send(get)).status).toBe(500)
    expect(client.sent).toBe(5)
    expect(twice.once).toBe(client)
  })

  it('stops when it is cancelled', async () => {
    const abort = new AbortController()
    const client = withRetry(scripted(500, 200), { delay: 60_000 })
    const sent = client.send({ ...get, signal: abort.signal })
    abort.abort(new SlipwayError('HTTP_ABORTED', 'by the user'))
    await expect(sent).rejects.toThrow('by the user')
  })
})

describe('createRetrier', () => {
  it('runs a unit again for Temporary, and throws what it stood for', async () => {
    const { waits, options } = recorder()
    const error = new Error('the disk of the registry')
    let runs = 0
    const work = async () => {
      runs++
      throw new Temporary(error)
    }
    await expect(createRetrier({ ...options, attempts: 3 }).run('o', work)).rejects.toBe(error)
    expect(runs).toBe(3)
    expect(waits).toHaveLength(2)
  })
})

describe('retryAfter', () => {
  const now = Date.UTC(2026, 0, 1)
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 1.5 ', 1500],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (text, expected) => {
    expect(retryAfter(text, now)).toBe(expected)
  })
})
