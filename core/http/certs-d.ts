import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../error.ts'
import type { HostTls } from './types.ts'

/**
 * The TLS of single hosts as docker and podman keep it: `<directory>/<host[:port]>/` with `*.crt` (authorities that are
 * trusted besides the machine's) and a pair of `*.cert` and `*.key` (who we are to that host). A host is looked for in each
 * directory, in order; the first that knows it counts.
 */
export function certsD(directories: readonly string[]): (host: string) => HostTls | undefined {
  return (host) => {
    // With the port also where it is the usual one; a host that is a path is none of ours.
    const names = /^[a-z0-9[][a-z0-9.:\]-]*$/i.test(host)
      ? [host, ...(hasPort(host) ? [] : [`${host}:443`])]
      : []
    for (const directory of directories) {
      for (const name of names) {
        const found = readHost(join(directory, name))
        if (found !== undefined) return found
      }
    }
    return undefined
  }
}

/** Where they are: the user's own before the machine's, podman's and docker's. */
export function certsDDirectories(env: Readonly<Record<string, string | undefined>>): string[] {
  const config = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, '.config') : undefined)
  return [
    ...(config === undefined ? [] : [join(config, 'containers', 'certs.d')]),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ]
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host)
}

function readHost(directory: string): HostTls | undefined {
  const names = list(directory)
  const certificates = names
    .filter((name) => name.endsWith('.crt'))
    .map((name) => read(join(directory, name)))
  const client = names.find((name) => name.endsWith('.cert'))
  if (client === undefined) return certificates.length === 0 ? undefined : { certificates }
  return {
    certificates,
    clientCertificate: {
      certificate: read(join(directory, client)),
      key: read(join(directory, client.replace(/\.cert$/, '.key'))),
    },
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    // Missing, or not for us to see.
    if (systemCode(error) === undefined) throw error
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new SlipwayError('HTTP_CA_UNREADABLE', `certs.d: cannot read ${path}`, {
      subject: path,
      hint: 'every .cert in certs.d needs its .key, and both must be readable',
      class: 'usage',
      cause: error,
    })
  }
}
