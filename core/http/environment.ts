import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../error.ts'
import type { HttpOptions, ProxySettings } from './types.ts'

/** The machine's settings for HTTP, read once by a command at the edge; nothing here looks at process.env itself. */

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Proxies from `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` (upper case wins over lower case, as in Go). As a CGI program
 * (`REQUEST_METHOD` set) `HTTP_PROXY` is a header of the caller's and is not believed.
 */
export function httpOptionsFromEnvironment(env: Environment): HttpOptions {
  const first = (...names: string[]) =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== '')
  const cgi = (env.REQUEST_METHOD ?? '') !== ''
  const http = cgi ? undefined : first('HTTP_PROXY', 'http_proxy')
  const https = first('HTTPS_PROXY', 'https_proxy')
  const noProxy = first('NO_PROXY', 'no_proxy')
  const proxy: ProxySettings = {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
  return Object.keys(proxy).length === 0 ? {} : { proxy }
}

/** Where distributions keep their bundle: Go's list (crypto/x509, root_linux.go). The first that exists is taken. */
export const CERTIFICATE_BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const DIRECTORIES = ['/etc/ssl/certs', '/etc/pki/tls/certs']

/**
 * PEM texts of the machine's trusted authorities: the file of `SSL_CERT_FILE` or else the distribution's bundle, and every
 * certificate of `SSL_CERT_DIR` (a list separated by colons). The distribution's directories are read where it has no bundle.
 * @throws SlipwayError `HTTP_CA_UNREADABLE` when a file that the environment names cannot be read.
 */
export function systemCertificates(env: Environment): string[] {
  const named = env.SSL_CERT_FILE ?? ''
  const bundle = named !== '' ? readCertificates(named, 'SSL_CERT_FILE') : firstBundle()
  const directories = env.SSL_CERT_DIR ?? ''
  const texts = bundle === undefined ? [] : [bundle]
  if (directories !== '') texts.push(...directories.split(':').flatMap(certificatesIn))
  else if (texts.length === 0) texts.push(...DIRECTORIES.flatMap(certificatesIn))
  return [...new Set(texts)]
}

function firstBundle(): string | undefined {
  for (const path of CERTIFICATE_BUNDLES) {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if (systemCode(error) === undefined) throw error
    }
  }
  return undefined
}

/** The certificates of a directory, in the order of their names. A directory that is missing holds none, as in Go. */
function certificatesIn(directory: string): string[] {
  if (directory === '') return []
  let names: string[]
  try {
    names = readdirSync(directory).sort()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return []
  }
  const texts: string[] = []
  for (const name of names) {
    try {
      const text = readFileSync(join(directory, name), 'utf8')
      if (text.includes(PEM)) texts.push(text)
    } catch (error) {
      // Links to removed files and subdirectories are ordinary there.
      if (systemCode(error) === undefined) throw error
    }
  }
  return texts
}

const PEM = '-----BEGIN CERTIFICATE-----'

/**
 * One file of PEM certificates that a person named.
 * @throws SlipwayError `HTTP_CA_UNREADABLE`, also when no certificate is in it.
 */
export function readCertificates(path: string, from: string): string {
  const failed = (why: string, cause?: unknown) =>
    new SlipwayError('HTTP_CA_UNREADABLE', `${from}: ${why}: ${path}`, {
      subject: path,
      hint: `${from} must name a file of PEM certificates`,
      class: 'usage',
      ...(cause === undefined ? {} : { cause }),
    })
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw failed('cannot read the certificates', error)
  }
  if (!text.includes(PEM) && !text.includes('-----BEGIN TRUSTED CERTIFICATE-----'))
    throw failed('no certificate is in the file')
  return text
}
