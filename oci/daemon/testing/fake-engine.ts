import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Digest, digestOf } from '../../digest.ts'
import type { ImageConfig } from '../../image.ts'
import { tarParser } from '../../tar/reader.ts'
import type { DaemonAddress } from '../address.ts'

/** A daemon in memory for what a real one cannot be made to do: faults at a given moment, and counting what is sent. */
export interface FakeEngine extends AsyncDisposable {
  readonly address: DaemonAddress
  /** `GET /images/base/json` … in order, pings left out. */
  readonly requests: readonly string[]
  /** Names and sizes of the files of each archive that came. */
  readonly archives: readonly ReadonlyMap<string, number>[]
  /** A file of the last archive. */
  text(name: string): string
  /** Connections that were ever made. */
  readonly connections: () => number
  /** Puts an image there; its layers are only told. Default ID: the digest of its configuration. @returns the ID */
  image(name: string, config: ImageConfig, id?: Digest): Digest
  /** What `docker save` gives. */
  saved: Buffer
  /** Answers the next loads so instead of taking them. */
  readonly refusals: ('status' | 'stream' | 'hang-up' | 'nothing')[]
  /** Ends some connections, and comes back when that is so. */
  hangUp(count: number): Promise<void>
}

export async function fakeEngine(store: 'graph' | 'containerd' | 'podman' = 'graph'): Promise<FakeEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'fake-engine-'))
  const path = join(directory, 'engine.sock')
  const images = new Map<string, ImageConfig>()
  const names = new Map<string, string>()
  const sockets = new Set<Socket>()
  const requests: string[] = []
  const archives: Map<string, number>[] = []
  const refusals: FakeEngine['refusals'] = []
  let connections = 0
  let lastTexts: ReadonlyMap<string, string> = new Map()

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://engine')
    if (url.pathname !== '/_ping') requests.push(`${request.method} ${request.url}`)
    answer(request, response, url).catch(() => request.socket.destroy())
  })
  server.keepAliveTimeout = 0
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })

  async function answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    switch (url.pathname) {
      case '/_ping':
        if (store === 'podman') response.setHeader('libpod-api-version', '4.3.1')
        return void response.end('OK')
      case '/info':
        return void response.end(JSON.stringify({ DriverStatus: driverStatus(store) }))
      case '/images/load':
        return load(request, response)
      case '/images/get':
        return void response.end(fake.saved)
      default:
        return answerForImage(response, url)
    }
  }

  function answerForImage(response: ServerResponse, url: URL): void {
    const [, name = '', action] = /^\/images\/(.*)\/(json|history|tag)$/.exec(url.pathname) ?? []
    const id = [name, `sha256:${name}`].find((known) => images.has(known)) ?? names.get(name)
    const config = images.get(id ?? '')
    if (id === undefined || config === undefined) {
      response.statusCode = 404
      response.end(JSON.stringify({ message: `No such image: ${name}` }))
    } else if (action === 'tag') {
      names.set(`${url.searchParams.get('repo')}:${url.searchParams.get('tag')}`, id)
      response.statusCode = 201
      response.end()
    } else if (action === 'history' && store === 'podman' && !isTimed(config)) {
      response.statusCode = 500
      response.end(JSON.stringify({ message: 'runtime error: invalid memory address' }))
    } else {
      response.end(JSON.stringify(action === 'history' ? historyOf(config) : inspectionOf(id, config)))
    }
  }

  async function load(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = refusals.shift()
    if (refusal === 'hang-up') {
      request.once('data', () => request.socket.destroy())
      return
    }
    const files = new Map<string, number>()
    const texts = new Map<string, string>()
    let last = ''
    const parser = tarParser({
      entry(entry) {
        last = entry.name
        if ('size' in entry) files.set(last, entry.size)
      },
      data: (bytes) => void texts.set(last, (texts.get(last) ?? '') + Buffer.from(bytes).toString('latin1')),
      end() {},
    })
    for await (const chunk of request) parser.push(chunk)
    parser.finish()
    archives.push(files)
    lastTexts = texts
    if (refusal === 'status') {
      response.statusCode = 500
      return void response.end(JSON.stringify({ message: 'some layers are missing' }))
    }
    if (refusal === 'stream') return void response.end('{"stream":"one"}\n{"error":"no such file"}\n')
    if (refusal !== 'nothing') keep(texts)
    response.end('{"stream":"Loaded image"}\n')
  }

  function keep(files: ReadonlyMap<string, string>): void {
    const text = (name: string) => files.get(name) ?? ''
    if (!files.has('manifest.json')) {
      const [{ digest }] = JSON.parse(text('index.json')).manifests
      const manifest = JSON.parse(text(`blobs/${digest.replace(':', '/')}`))
      images.set(digest, JSON.parse(text(`blobs/${manifest.config.digest.replace(':', '/')}`)))
      return
    }
    for (const { Config, RepoTags } of JSON.parse(text('manifest.json'))) {
      const id = digestOf(Buffer.from(text(Config), 'latin1'))
      images.set(id, JSON.parse(text(Config)))
      for (const tag of RepoTags) names.set(tag, id)
    }
  }

  await new Promise<void>((resolve) => server.listen(path, resolve))
  // For phases that run as another user.
  chmodSync(directory, 0o755)
  chmodSync(path, 0o777)
  const fake: FakeEngine = {
    address: { kind: 'socket', path },
    requests,
    archives,
    refusals,
    connections: () => connections,
    text: (name) => lastTexts.get(name) ?? '',
    saved: Buffer.alloc(1024),
    image(name, config, id = digestOf(JSON.stringify(config))) {
      images.set(id, config)
      names.set(name, id)
      return id
    },
    async hangUp(count) {
      const ended = [...sockets].slice(0, count).map((socket) => {
        const closed = new Promise((resolve) => socket.once('close', resolve))
        socket.destroy()
        return closed
      })
      await Promise.all(ended)
    },
    async [Symbol.asyncDispose]() {
      await fake.hangUp(sockets.size)
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
  return fake
}

function driverStatus(store: string): readonly string[][] {
  return store === 'containerd' ? [['driver-type', 'io.containerd.snapshotter.v1']] : [['Backing', 'extfs']]
}

function inspectionOf(id: string, { architecture, os, created, config, rootfs }: ImageConfig): object {
  return {
    Id: id,
    Architecture: architecture,
    Os: os,
    Created: created,
    Config: { Hostname: '', Tty: false, ...config },
    RootFS: { Type: rootfs.type, Layers: rootfs.diff_ids },
  }
}

/** Podman 4.3 breaks down over a history that is not. */
function isTimed({ history = [] }: ImageConfig): boolean {
  return history.every(({ created }) => created !== undefined)
}

function historyOf({ history = [] }: ImageConfig): readonly object[] {
  return history.toReversed().map(({ created, created_by: CreatedBy, comment: Comment = '' }) => ({
    Created: Date.parse(created ?? '') / 1000,
    CreatedBy,
    Comment,
  }))
}
