import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createHttpClient } from '../core/http/index.ts'
import { parseReference } from '../oci/reference.ts'
import { createRegistry } from '../oci/registry/index.ts'
import { randomImage } from '../oci/testing/index.ts'

export interface Request {
  readonly method: string
  readonly path: string
}

/** Debian's docker-registry with its blobs in memory: neither a disk nor a line is measured. */
export interface Registry {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** The name of the run image, which every fresh registry has. */
  readonly runImage: string
  /** Forgets everything but the run image. */
  fresh(): Promise<void>
  /** How large the access log is now. */
  logSize(): number
  /** The requests of the access log after that many bytes of it. */
  requestsSince(offset: number): readonly Request[]
  /** CPU seconds that the registry has used so far. */
  cpu(): number
  close(): Promise<void>
}

export async function startRegistry(folder: string, memory: string): Promise<Registry> {
  const [store, base, log] = [join(memory, 'registry'), join(memory, 'base'), join(folder, 'access.log')]
  mkdirSync(store, { recursive: true })
  let child = await start(':0')
  const host = await listening(log)
  const runImage = `${host}/bench/run:latest`
  await pushRunImage(host, runImage)
  await end(child)
  cpSync(store, base, { recursive: true })
  child = await start(`:${host.split(':')[1]}`)
  await listening(log)

  async function start(port: string): Promise<ChildProcess> {
    const config = join(folder, 'registry.json')
    writeFileSync(config, JSON.stringify(configuration(store, `127.0.0.1${port}`)))
    const output = openSync(log, 'w')
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', output, output] })
    closeSync(output)
    await new Promise((resolve, reject) => {
      child.on('spawn', resolve)
      child.on('error', (cause) => {
        reject(new Error('docker-registry is needed: install the package docker-registry', { cause }))
      })
    })
    return child
  }

  // However the bench ends.
  process.on('exit', () => child.kill('SIGKILL'))

  return {
    host,
    runImage,
    async fresh() {
      await end(child)
      rmSync(store, { recursive: true, force: true })
      cpSync(base, store, { recursive: true })
      child = await start(`:${host.split(':')[1]}`)
      await listening(log)
    },
    logSize: () => statSync(log).size,
    requestsSince: (offset) => requestsIn(readFileSync(log).subarray(offset).toString('latin1')),
    cpu: () => cpuOf(child.pid),
    async close() {
      await end(child)
      rmSync(memory, { recursive: true, force: true })
    },
  }
}

function configuration(store: string, address: string): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: store }, maintenance: { uploadpurging: { enabled: false } } },
    http: { addr: address, secret: 'bench' },
  }
}

/** The address that a registry says it listens on. */
async function listening(log: string): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    const address = /listening on ([0-9.]+:\d+)/.exec(readFileSync(log, 'utf8'))?.[1]
    if (address !== undefined) return address
    await wait(10)
  }
  throw new Error(`docker-registry did not start:\n${readFileSync(log, 'utf8')}`)
}

async function end(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exit
}

async function pushRunImage(host: string, name: string): Promise<void> {
  const http = await createHttpClient({ userAgent: 'slipway-bench' })
  const repository = createRegistry({ http, insecure: [host] }).repository(parseReference(name))
  await randomImage({ repository, tags: ['latest'] })
  await http.close()
}

/** Lines as web servers write them: `… "PUT /v2/… HTTP/1.1" 201 …`. */
export function requestsIn(log: string): Request[] {
  return [...log.matchAll(/"([A-Z]+) (\S+) HTTP\/[\d.]+" \d+/g)].map(([, method = '', path = '']) => ({
    method,
    path,
  }))
}

/** user and system time are fields 14 and 15; the name before them may hold spaces. */
function cpuOf(pid: number | undefined): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=[A-Z] )/)
  const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number)
  return (user + system) / 100
}
