import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { type DaemonAddress, formatDaemonAddress } from './address.ts'

/** Requests on their way at once, and connections that are opened beforehand. */
const CONNECTIONS = 4
/** A daemon that is there answers the first ping at once, or on a machine that has a lot to do within this time. */
const PING_TIMEOUT_MS = 30_000
const ANSWER_LIMIT = 16 * 2 ** 20

export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface DaemonRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With its query. */
  readonly path: string
  /** Streamed; the same bytes at every call. A chunk is written before the next one is asked for. */
  readonly body?: () => Chunks
}

export interface DaemonAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: AsyncIterable<Uint8Array>
  /** The whole body. @throws SlipwayError `OCI_DAEMON_ANSWER_INVALID` where it is too long. */
  text(): Promise<string>
}

/**
 * HTTP to a daemon. All connections are opened at once and kept: a process that gives its privileges away afterwards may
 * not be able to open the socket again.
 */
export interface DaemonConnection {
  /** For people: `unix:///var/run/docker.sock`. */
  readonly address: string
  /** @throws SlipwayError `OCI_DAEMON_UNREACHABLE`, `OCI_DAEMON_CONNECTION_LOST`, and what the body throws. */
  send(request: DaemonRequest): Promise<DaemonAnswer>
  /** Keeps every connection from being closed for idleness. Never throws: who needs a lost one will see. */
  keepAwake(): Promise<void>
  close(): void
}

/** @throws SlipwayError `OCI_DAEMON_UNREACHABLE` */
export async function connectDaemon(
  address: DaemonAddress,
): Promise<{ readonly connection: DaemonConnection; readonly ping: DaemonAnswer }> {
  const agent = new KeptConnections()
  const name = formatDaemonAddress(address)
  const target: RequestOptions =
    address.kind === 'socket'
      ? { socketPath: address.path, headers: { host: 'docker' } }
      : { host: address.host, port: address.port }
  const send = (asked: DaemonRequest, timeout = 0) => sendOver(agent, { ...target, timeout }, name, asked)
  const ping = async (timeout: number) => {
    const answer = await send({ method: 'GET', path: '/_ping' }, timeout)
    await answer.text()
    return answer
  }
  const pingAll = (timeout: number) => Promise.all(Array.from({ length: CONNECTIONS }, () => ping(timeout)))
  try {
    const [answer] = await pingAll(PING_TIMEOUT_MS)
    agent.areOpen()
    return {
      ping: answer as DaemonAnswer,
      connection: {
        address: name,
        send,
        keepAwake: async () => {
          // However long that takes: giving up would cost the connection.
          await pingAll(0).catch(() => {})
        },
        close: () => agent.destroy(),
      },
    }
  } catch (error) {
    agent.destroy()
    throw error
  }
}

/**
 * Connections that are kept. A request waits for one that is there rather than make another in the place of one that was
 * lost: that may not be possible any more. Only the last one is made again.
 */
class KeptConnections extends Agent {
  #areOpen = false
  #busy = 0
  readonly #waiting: (() => void)[] = []

  constructor() {
    super({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS })
  }

  /** From here on no connection is made while there is another. */
  areOpen(): void {
    this.#areOpen = true
  }

  /** @returns what is to be called when the connection is free again */
  async acquire(): Promise<() => void> {
    // One that broke is known to be gone when its events have come.
    await turn()
    while (this.#busy >= this.#limit()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#busy++
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      this.#busy--
      this.#waiting.shift()?.()
    }
  }

  #limit(): number {
    if (!this.#areOpen) return CONNECTIONS
    const sockets = [...Object.values(this.sockets), ...Object.values(this.freeSockets)].flat()
    return Math.max(1, sockets.filter((socket) => socket?.destroyed === false).length)
  }
}

async function sendOver(
  agent: KeptConnections,
  options: RequestOptions,
  name: string,
  asked: DaemonRequest,
): Promise<DaemonAnswer> {
  for (;;) {
    const release = await agent.acquire()
    const sent = request({
      ...options,
      agent,
      method: asked.method,
      path: asked.path,
      headers: { ...(options.headers ?? {}), ...(asked.body && { 'content-type': 'application/x-tar' }) },
    })
    let response: IncomingMessage | undefined
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('error', reject)
      sent.once('close', release)
      sent.once('timeout', () => sent.destroy(new Error('no answer in time')))
      sent.once('response', (message) => {
        response = message
        resolve(message)
      })
    })
    // Looked at below, after the body.
    answered.catch(() => {})
    try {
      await writeBody(sent, asked.body, () => response !== undefined)
      return answerOf(await answered, name)
    } catch (error) {
      // An answer says more than the pipe that broke because of it.
      if (response !== undefined) return answerOf(response, name)
      sent.destroy()
      release()
      // The daemon closed an idle connection at this very moment; nothing was done yet.
      if (sent.reusedSocket && isLost(error)) continue
      throw failure(error, name)
    }
  }
}

async function writeBody(
  sent: ReturnType<typeof request>,
  body: DaemonRequest['body'],
  isAnswered: () => boolean,
): Promise<void> {
  if (body === undefined) return void sent.end()
  for await (const chunk of body()) {
    if (isAnswered()) break
    await new Promise<void>((resolve, reject) =>
      sent.write(chunk, (error) => (error ? reject(error) : resolve())),
    )
  }
  sent.end()
}

function answerOf(message: IncomingMessage, name: string): DaemonAnswer {
  const body = chunksOf(message, name)
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    body,
    async text() {
      const chunks: Uint8Array[] = []
      let size = 0
      for await (const chunk of body) {
        size += chunk.length
        if (size > ANSWER_LIMIT) throw tooLong(name)
        chunks.push(chunk)
      }
      return Buffer.concat(chunks).toString('utf8')
    },
  }
}

async function* chunksOf(message: IncomingMessage, name: string): AsyncGenerator<Uint8Array, void> {
  try {
    yield* message
  } catch (error) {
    throw failure(error, name)
  }
}

const LOST: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])

function isLost(error: unknown): boolean {
  return LOST.has(systemCode(error) ?? '')
}

function failure(error: unknown, address: string): unknown {
  if (error instanceof SlipwayError) return error
  if (isLost(error)) {
    return new SlipwayError('OCI_DAEMON_CONNECTION_LOST', `the container daemon at ${address} hung up`, {
      subject: address,
      hint: 'Look into its log for the reason, and build again.',
      class: 'infrastructure',
      cause: error,
    })
  }
  return new SlipwayError('OCI_DAEMON_UNREACHABLE', `there is no container daemon to talk to at ${address}`, {
    subject: address,
    hint:
      systemCode(error) === 'EACCES'
        ? 'Its socket is not open to this user.'
        : 'Start it, mount its socket into the container, or name another one in DOCKER_HOST.',
    class: 'infrastructure',
    cause: error,
  })
}

function tooLong(address: string): SlipwayError {
  return new SlipwayError('OCI_DAEMON_ANSWER_INVALID', `an answer of ${address} does not end`, {
    subject: address,
    class: 'infrastructure',
  })
}
