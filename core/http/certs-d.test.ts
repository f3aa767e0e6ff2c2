import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { certsD, certsDDirectories } from './certs-d.ts'

const top = mkdtempSync(join(tmpdir(), 'slipway-certs-d-'))
afterAll(() => rmSync(top, { recursive: true, force: true }))

function write(path: string, content: string): void {
  mkdirSync(join(top, path, '..'), { recursive: true })
  writeFileSync(join(top, path), content)
}

write('user/a.example:5000/ca.crt', 'authority')
write('user/b.example:443/ca.crt', 'b')
write('user/broken.example/client.cert', 'client')
write('user/empty.example/notes.txt', '')
write('machine/a.example:5000/other.crt', 'hidden by the user')
write('machine/c.example/1.crt', 'one')
write('machine/c.example/2.crt', 'two')
write('machine/c.example/client.cert', 'certificate')
write('machine/c.example/client.key', 'key')
write('secret/ca.crt', 'outside')
write('ca.crt', 'outside')
const find = certsD([join(top, 'none'), join(top, 'user'), join(top, 'machine')])

describe('certs.d', () => {
  it('has authorities and a client certificate for a host', () => {
    expect(find('a.example:5000')).toEqual({ certificates: ['authority'] })
    expect(find('c.example')).toEqual({
      certificates: ['one', 'two'],
      clientCertificate: { certificate: 'certificate', key: 'key' },
    })
    expect(find('b.example')).toEqual({ certificates: ['b'] })
  })

  it.each(['a.example', 'c.example:5000', 'empty.example', '../secret', '..', ''])(
    'has nothing for %j',
    (host) => {
      expect(find(host)).toBeUndefined()
    },
  )

  it('names a key that is missing', () => {
    expect(() => find('broken.example')).toThrow(
      expect.objectContaining({ code: 'HTTP_CA_UNREADABLE', message: expect.stringContaining('client.key') }),
    )
  })

  it.skipIf(process.getuid?.() === 0)('passes over a directory that is not ours to see (not as root)', () => {
    write('closed/d.example/ca.crt', 'x')
    chmodSync(join(top, 'closed/d.example'), 0)
    expect(certsD([join(top, 'closed')])('d.example')).toBeUndefined()
    chmodSync(join(top, 'closed/d.example'), 0o700)
  })

  it("looks for the user's own first", () => {
    const machine = ['/etc/containers/certs.d', '/etc/docker/certs.d']
    expect(certsDDirectories({ HOME: '/h' })).toEqual(['/h/.config/containers/certs.d', ...machine])
    expect(certsDDirectories({ HOME: '/h', XDG_CONFIG_HOME: '/c' })[0]).toBe('/c/containers/certs.d')
    expect(certsDDirectories({})).toEqual(machine)
  })
})
