import type { Dispatcher } from 'undici'
import { httpError, transportError } from './errors.ts'
import { redact } from './redact.ts'
import type { HttpHeaders, HttpResponse } from './types.ts'

/** What is read of a body that nobody wants before its connection is given up instead. */
const DISCARD_LIMIT = 128 * 1024

export function createResponse(answer: Dispatcher.ResponseData, url: string): HttpResponse {
  const { body } = answer
  // A body that is never read must not end the process when its connection breaks.
  body.on('error', () => {})
  const bytes = (limit: number) => collect(stream(body, url), limit, url)
  const text = async (limit: number) => Buffer.from(await bytes(limit)).toString('utf8')
  return {
    status: answer.statusCode,
    headers: headersOf(answer.headers),
    url,
    body: stream(body, url),
    bytes,
    text,
    json: async (limit) => parseJson(await text(limit), url),
    discard: async () => {
      await body.dump({ limit: DISCARD_LIMIT }).catch(() => {})
    },
  }
}

function stream(body: AsyncIterable<Uint8Array>, url: string): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* body
      } catch (error) {
        throw transportError(error, url)
      }
    },
  }
}

async function collect(body: AsyncIterable<Uint8Array>, limit: number, url: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) {
      throw httpError(
        'HTTP_BODY_TOO_LARGE',
        `the answer has more than ${limit} bytes: ${redact(url)}`,
        redact(url),
      )
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw httpError('HTTP_BODY_INVALID', `the answer is not JSON: ${redact(url)}`, redact(url), error)
  }
}

function headersOf(headers: Readonly<Record<string, string | string[] | undefined>>): HttpHeaders {
  const all = (name: string): readonly string[] => {
    const value = headers[name.toLowerCase()]
    return value === undefined ? [] : typeof value === 'string' ? [value] : value
  }
  return {
    all,
    get: (name) => {
      const values = all(name)
      return values.length === 0 ? undefined : values.join(', ')
    },
  }
}
