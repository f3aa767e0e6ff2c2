import { SlipwayError } from '../../core/error.ts'

/** Where a daemon listens. */
export type DaemonAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

export const DEFAULT_DAEMON = 'unix:///var/run/docker.sock'

const DEFAULT_PORT = 2375

/**
 * Parses an address as `DOCKER_HOST` has it: `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`; empty is
 * {@link DEFAULT_DAEMON}.
 * @throws SlipwayError `OCI_DAEMON_ADDRESS_INVALID`
 */
export function parseDaemonAddress(text: string): DaemonAddress {
  const address = text === '' ? DEFAULT_DAEMON : text
  if (address.startsWith('unix://')) {
    const path = address.slice('unix://'.length)
    if (path.startsWith('/')) return { kind: 'socket', path }
    throw invalid(address, 'a socket needs an absolute path')
  }
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'tcp:' || url.hostname === '') {
    throw invalid(address, 'only unix:// and tcp:// are supported')
  }
  // An address in brackets is one of IPv6.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { kind: 'tcp', host, port: url.port === '' ? DEFAULT_PORT : Number(url.port) }
}

/** As people write it. */
export function formatDaemonAddress(address: DaemonAddress): string {
  if (address.kind === 'socket') return `unix://${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `tcp://${host}:${address.port}`
}

function invalid(address: string, reason: string): SlipwayError {
  return new SlipwayError(
    'OCI_DAEMON_ADDRESS_INVALID',
    `not the address of a daemon: ${address}: ${reason}`,
    {
      subject: address,
      hint: 'DOCKER_HOST looks like unix:///var/run/docker.sock or tcp://127.0.0.1:2375',
      class: 'usage',
    },
  )
}
