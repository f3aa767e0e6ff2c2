import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Debian's docker-registry on loopback, for integration tests: real distribution code, in a temporary folder. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** The certificate authority, where it speaks TLS. */
  readonly authority?: string
  close(): Promise<void>
}

export interface DockerRegistryOptions {
  /** User {@link TEST_USER} with password {@link TEST_PASSWORD}. */
  readonly htpasswd?: boolean
  /** https with a certificate of a private authority made for this run (needs openssl). */
  readonly tls?: boolean
}

export const TEST_USER = 'builder'
export const TEST_PASSWORD = 'pass:word'
/** bcrypt of the password above, recorded: nothing on a bare machine makes one. */
const HTPASSWD = `${TEST_USER}:$2b$04$EpK31qH47dCqvrluJwCw9ehFj95Ba4wNCw9NGfaLeaO.qJYhDHNHC\n`

export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-registry-'))
  try {
    const authority = options.tls === true ? await makeCertificates(directory) : undefined
    if (options.htpasswd === true) await writeFile(join(directory, 'htpasswd'), HTPASSWD)
    const config = join(directory, 'config.yml')
    // JSON is YAML.
    await writeFile(config, JSON.stringify(configuration(directory, options)))
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    const host = await listening(child)
    const close = async () => {
      await ended(child)
      await rm(directory, { recursive: true, force: true })
    }
    return { host, close, [Symbol.asyncDispose]: close, ...(authority === undefined ? {} : { authority }) }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function configuration(directory: string, options: DockerRegistryOptions): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: {
      addr: '127.0.0.1:0',
      secret: 'test',
      ...(options.tls === true
        ? { tls: { certificate: join(directory, 'server.pem'), key: join(directory, 'server.key') } }
        : {}),
    },
    ...(options.htpasswd === true
      ? { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } }
      : {}),
  }
}

/** The address it says it listens on. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.on('error', (cause) => {
      reject(new Error('docker-registry cannot be started: install the package docker-registry', { cause }))
    })
    child.on('exit', (code) => reject(new Error(`docker-registry ended with ${code}: ${log}`)))
    child.stderr?.on('data', (chunk: Buffer) => {
      // Read on after the start, so that the pipe never fills.
      if (log.length < 100_000) log += chunk.toString('utf8')
      const address = /listening on ([0-9.]+:\d+)/.exec(log)?.[1]
      if (address !== undefined) resolve(address)
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

/** A private authority and a certificate for 127.0.0.1 and localhost; returns the authority's PEM. */
export async function makeCertificates(directory: string): Promise<string> {
  const run = promisify(execFile)
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory })
  await writeFile(join(directory, 'san.cnf'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Slipway test authority',
  )
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  await openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-out', 'server.pem', '-days', '2', '-extfile', 'san.cnf'],
  )
  return await readFile(join(directory, 'ca.pem'), 'utf8')
}
