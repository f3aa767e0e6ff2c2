import { expect, test } from 'vitest'
import { formatDaemonAddress, parseDaemonAddress } from './address.ts'

test.each([
  ['', { kind: 'socket', path: '/var/run/docker.sock' }, 'unix:///var/run/docker.sock'],
  ['unix:///run/podman/podman.sock', { kind: 'socket', path: '/run/podman/podman.sock' }, undefined],
  ['tcp://127.0.0.1:2375', { kind: 'tcp', host: '127.0.0.1', port: 2375 }, undefined],
  ['tcp://engine.example', { kind: 'tcp', host: 'engine.example', port: 2375 }, 'tcp://engine.example:2375'],
  ['tcp://[::1]:2375', { kind: 'tcp', host: '::1', port: 2375 }, undefined],
] as const)('%j is an address', (text, address, written: string = text) => {
  expect(parseDaemonAddress(text)).toEqual(address)
  expect(formatDaemonAddress(address)).toBe(written)
})

test.each([
  'unix://run/docker.sock',
  'npipe:////./pipe/docker',
  'ssh://me@host',
  'http://host',
  '/run/docker.sock',
  'tcp://',
])('%s is none', (text) => {
  expect(() => parseDaemonAddress(text)).toThrow(
    expect.objectContaining({ code: 'OCI_DAEMON_ADDRESS_INVALID', subject: text, class: 'usage' }),
  )
})
