import { SlipwayError } from '../../core/error.ts'
import type { DaemonAddress } from './address.ts'
import { type Chunks, connectDaemon } from './connection.ts'

/**
 * How a daemon keeps its images, which decides what it must be sent (docs/decisions, container daemons):
 * - `graph`: Docker's classic store knows a layer by all layers below it
 * - `containerd`: Docker on containerd's store keeps blobs by digest; an image's ID is the digest of its manifest
 * - `podman`: knows a layer by its diffID, wherever it stands
 */
export type ImageStore = 'graph' | 'containerd' | 'podman'

/** JSON as a daemon answers it. */
export type Answered = Readonly<Record<string, unknown>>

/** The part of the Docker Engine API that images need. Names and IDs are as a daemon's users write them. */
export interface Engine extends Disposable {
  /** For people: `unix:///var/run/docker.sock`. */
  readonly address: string
  imageStore(): Promise<ImageStore>
  /**
   * What is known of an image, and its history from the newest entry on where the daemon can tell it; undefined where
   * there is no such image.
   */
  inspect(name: string): Promise<{ readonly image: Answered; readonly history: unknown } | undefined>
  /** Takes an archive of images. @throws SlipwayError `OCI_DAEMON_REFUSED` */
  load(archive: () => Chunks): Promise<void>
  /** An archive of images. @throws SlipwayError `OCI_DAEMON_REFUSED` */
  save(names: readonly string[]): AsyncIterable<Uint8Array>
  /** Gives an image a further name. @throws SlipwayError `OCI_DAEMON_REFUSED` */
  tag(image: string, repository: string, tag: string): Promise<void>
  /** See {@link DaemonConnection.keepAwake}. */
  keepAwake(): Promise<void>
}

/**
 * Connects to a daemon. All of its connections are open when this returns.
 * @throws SlipwayError `OCI_DAEMON_UNREACHABLE`
 */
export async function openEngine(address: DaemonAddress): Promise<Engine> {
  const { connection, ping } = await connectDaemon(address)
  const isPodman = ping.headers['libpod-api-version'] !== undefined
  let store: Promise<ImageStore> | undefined

  /** An answer is read at once: one that waits for another holds a connection that the other may need. */
  const ask = async (method: 'GET' | 'POST', path: string, body?: () => Chunks): Promise<Answer> => {
    const answer = await connection.send({ method, path, ...(body === undefined ? {} : { body }) })
    return { status: answer.status, text: await answer.text() }
  }
  const expect = ({ status, text }: Answer, action: string): string => {
    if (status < 300) return text
    throw refused(connection.address, action, messageOf(text))
  }
  const json = (answer: Answer, action: string): unknown => parsed(expect(answer, action), connection.address)

  return {
    address: connection.address,
    imageStore() {
      store ??= isPodman
        ? Promise.resolve('podman')
        : ask('GET', '/info').then((answer) => storeOf(json(answer, 'describe itself')))
      return store
    },
    async inspect(name) {
      const path = `/images/${name}`
      const [image, history] = await Promise.all([ask('GET', `${path}/json`), ask('GET', `${path}/history`)])
      if (image.status === 404) return undefined
      return {
        image: asObject(json(image, `inspect ${name}`), connection.address),
        // Podman breaks down over entries without a time. An image does without a history.
        history: history.status < 300 ? json(history, `tell the history of ${name}`) : undefined,
      }
    },
    async load(archive) {
      const text = expect(await ask('POST', '/images/load?quiet=1', archive), 'load the image')
      // A daemon that fails in the middle has said 200 already.
      const error = text.split('\n').map(errorOf).find(Boolean)
      if (error !== undefined) throw refused(connection.address, 'load the image', error)
    },
    async *save(names) {
      const query = names.map((name) => `names=${encodeURIComponent(name)}`).join('&')
      const answer = await connection.send({ method: 'GET', path: `/images/get?${query}` })
      if (answer.status < 300) return yield* answer.body
      throw refused(connection.address, `save ${names.join(', ')}`, messageOf(await answer.text()))
    },
    async tag(image, repository, tag) {
      const query = `repo=${encodeURIComponent(repository)}&tag=${encodeURIComponent(tag)}`
      expect(await ask('POST', `/images/${image}/tag?${query}`), `tag ${repository}:${tag}`)
    },
    keepAwake: connection.keepAwake,
    [Symbol.dispose]: connection.close,
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

function storeOf(info: unknown): ImageStore {
  const status = (info as { DriverStatus?: unknown } | null)?.DriverStatus
  const entries: readonly unknown[] = Array.isArray(status) ? status : []
  const isContainerd = entries.some(
    (entry) =>
      Array.isArray(entry) && entry[0] === 'driver-type' && entry[1] === 'io.containerd.snapshotter.v1',
  )
  return isContainerd ? 'containerd' : 'graph'
}

function parsed(text: string, address: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid(address, cause)
  }
}

function asObject(value: unknown, address: string): Answered {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Answered
  throw invalid(address)
}

/** What a daemon says is wrong: `{"message": …}`, or the text itself. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : text.trim()
  } catch {
    return text.trim()
  }
}

/** The error in one line of a stream of messages. */
function errorOf(line: string): string | undefined {
  try {
    const { error } = JSON.parse(line) as { error?: unknown }
    return typeof error === 'string' ? error : undefined
  } catch {
    return undefined
  }
}

function refused(address: string, action: string, message: string): SlipwayError {
  return new SlipwayError('OCI_DAEMON_REFUSED', `the container daemon would not ${action}: ${message}`, {
    subject: address,
    class: 'infrastructure',
  })
}

function invalid(address: string, cause?: unknown): SlipwayError {
  return new SlipwayError('OCI_DAEMON_ANSWER_INVALID', `${address} does not answer like a container daemon`, {
    subject: address,
    hint: 'Check the address in DOCKER_HOST.',
    class: 'infrastructure',
    ...(cause === undefined ? {} : { cause }),
  })
}
