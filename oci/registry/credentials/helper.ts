import { spawn } from 'node:child_process'
import { SlipwayError } from '../../../core/error.ts'
import { redact } from '../../../core/http/redact.ts'
import type { Credential } from './types.ts'

/** Docker's credential helpers: `docker-credential-<name> get`, the registry on stdin, JSON on stdout. */

type Environment = Readonly<Record<string, string | undefined>>

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const OUTPUT_LIMIT = 256 * 1024
const TIMEOUT = 60_000

/**
 * Asks a helper for a registry's credential; undefined where it has none.
 * @param server the key under which the helper keeps it (`https://index.docker.io/v1/` for Docker Hub, else the host)
 * @param env environment of the helper; its PATH is where it is looked for
 * @throws SlipwayError `OCI_CREDENTIAL_HELPER_FAILED`
 */
export async function askHelper(
  name: string,
  server: string,
  env: Environment,
): Promise<Credential | undefined> {
  if (!NAME.test(name)) throw failed(name, 'its name may hold only letters, digits, ".", "_" and "-"')
  const { code, stdout, stderr } = await run(`docker-credential-${name}`, server, env)
  if (code !== 0) {
    if (/credentials not found/i.test(stdout)) return undefined
    throw failed(name, `it ended with ${code}: ${redact((stderr || stdout).trim()).slice(0, 300)}`)
  }
  return parseHelperOutput(name, stdout)
}

/** Pure: what a helper printed. User `<token>` marks an identity token. */
export function parseHelperOutput(name: string, stdout: string): Credential | undefined {
  let answer: { Username?: unknown; Secret?: unknown } | null
  try {
    answer = JSON.parse(stdout) as typeof answer
  } catch {
    throw failed(name, 'it did not print JSON')
  }
  const { Username: username, Secret: secret } = answer ?? {}
  if (typeof secret !== 'string' || typeof username !== 'string')
    throw failed(name, 'it printed no Username and Secret')
  if (secret === '' && username === '') return undefined
  if (username === '<token>') return { kind: 'identity-token', token: secret }
  return { kind: 'basic', username, password: secret }
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, input: string, env: Environment): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
    })
    const gather = (stream: NodeJS.ReadableStream): (() => string) => {
      const chunks: Buffer[] = []
      let size = 0
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= OUTPUT_LIMIT) chunks.push(chunk)
        else child.kill('SIGKILL')
      })
      return () => Buffer.concat(chunks).toString('utf8')
    }
    const stdout = gather(child.stdout)
    const stderr = gather(child.stderr)
    child.on('error', (error) => reject(failed(program, 'it cannot be started', error)))
    child.on('close', (code, signal) => {
      if (code === null)
        reject(failed(program, `it was ended by ${signal} (no answer in time, or too much of it)`))
      else resolve({ code, stdout: stdout(), stderr: stderr() })
    })
    // A helper that ends without reading is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

function failed(name: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('OCI_CREDENTIAL_HELPER_FAILED', `the credential helper ${name} failed: ${why}`, {
    subject: name,
    hint: 'credsStore and credHelpers of the docker config name the helper; it must be on the PATH',
    class: 'infrastructure',
    ...(cause === undefined ? {} : { cause }),
  })
}
