import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { httpOptionsFromEnvironment, systemCertificates } from './environment.ts'

describe('httpOptionsFromEnvironment', () => {
  it('reads both spellings, upper case first, and leaves out what is empty', () => {
    expect(httpOptionsFromEnvironment({})).toEqual({})
    expect(httpOptionsFromEnvironment({ HTTP_PROXY: '', http_proxy: 'http://a' })).toEqual({
      proxy: { http: 'http://a' },
    })
    expect(httpOptionsFromEnvironment({ HTTPS_PROXY: 'b', https_proxy: 'c', no_proxy: 'd' })).toEqual({
      proxy: { https: 'b', noProxy: 'd' },
    })
  })

  it('does not believe HTTP_PROXY in a CGI program', () => {
    expect(httpOptionsFromEnvironment({ HTTP_PROXY: 'x', REQUEST_METHOD: 'GET' })).toEqual({})
  })
})

describe('systemCertificates', () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-ca-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const pem = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }

  it('takes the named file and directories', () => {
    const file = write('bundle.pem', pem('one'))
    const certs = join(directory, 'certs')
    mkdirSync(join(certs, 'sub'), { recursive: true })
    writeFileSync(join(certs, 'b.pem'), pem('three'))
    writeFileSync(join(certs, 'a.crt'), pem('two'))
    writeFileSync(join(certs, 'README'), 'nothing')
    symlinkSync('missing', join(certs, 'dangling'))
    expect(
      systemCertificates({ SSL_CERT_FILE: file, SSL_CERT_DIR: `${certs}:${join(directory, 'none')}:` }),
    ).toEqual([pem('one'), pem('two'), pem('three')])
  })

  it('names a file that cannot be used', () => {
    expect(() => systemCertificates({ SSL_CERT_FILE: join(directory, 'none') })).toThrow(
      /SSL_CERT_FILE: cannot read/,
    )
    expect(() => systemCertificates({ SSL_CERT_FILE: write('empty', 'x') })).toThrow(/no certificate/)
  })
})
