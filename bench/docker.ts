import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** A docker daemon of the bench's own. */
export interface Docker {
  /** For DOCKER_HOST. */
  readonly address: string
  pull(image: string): Promise<void>
  /** Forgets an image and its layers. */
  remove(image: string): Promise<void>
  close(): Promise<void>
}

/** Whether one can be started here: that takes root. */
export function canRunDocker(): boolean {
  return process.getuid?.() === 0
}

/** Without networks of its own and with everything it keeps in a folder. */
export async function startDocker(folder: string): Promise<Docker> {
  mkdirSync(folder, { recursive: true })
  const [socketPath, log] = [join(folder, 'docker.sock'), join(folder, 'docker.log')]
  const output = openSync(log, 'w')
  const child = spawn(
    'dockerd',
    [
      ...[
        '--data-root',
        join(folder, 'data'),
        '--exec-root',
        join(folder, 'exec'),
        '--pidfile',
        join(folder, 'pid'),
      ],
      ...['--host', `unix://${socketPath}`, '--bridge=none', '--iptables=false'],
    ],
    { stdio: ['ignore', output, output] },
  )
  closeSync(output)
  // However the bench ends.
  process.on('exit', () => child.kill('SIGTERM'))
  const failed = new Promise<never>((_, reject) =>
    child.on('error', (cause) =>
      reject(new Error('dockerd is needed: install the package docker.io', { cause })),
    ),
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))

  async function send(method: string, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
      })
      sent.on('error', reject).end()
    })
  }

  async function ready(): Promise<void> {
    for (let tries = 0; tries < 300; tries++) {
      const status = await send('GET', '/_ping').catch(() => undefined)
      if (status === 200) return
      await wait(100)
    }
    throw new Error(`dockerd did not start:\n${readFileSync(log, 'utf8')}`)
  }
  await Promise.race([ready(), failed])

  return {
    address: `unix://${socketPath}`,
    async pull(image) {
      const status = await send('POST', `/images/create?fromImage=${encodeURIComponent(image)}`)
      if (status !== 200) throw new Error(`dockerd could not pull ${image}: ${status}`)
    },
    async remove(image) {
      await send('DELETE', `/images/${encodeURIComponent(image)}?force=1`)
    },
    async close() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
