import { BlockList, isIP, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import type { ProxySettings } from './types.ts'

/** Which proxy a URL goes through, read as Go's net/http reads the environment, so that one setting serves both worlds. */

type Matcher = (host: string, port: string) => boolean

/**
 * A function from URL to its proxy's URL, or undefined for a direct connection. Loopback never goes through a proxy.
 * A proxy without scheme is an http one, as in Go.
 */
export function proxySelector(settings: ProxySettings): (url: URL) => string | undefined {
  const exempt = noProxyMatcher(settings.noProxy ?? '')
  const http = proxyUrl(settings.http)
  const https = proxyUrl(settings.https)
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http
    if (proxy === undefined) return undefined
    const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
    return isLoopback(host) || exempt(host, port) ? undefined : proxy
  }
}

function proxyUrl(text: string | undefined): string | undefined {
  if (text === undefined || text.trim() === '') return undefined
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text.trim() : `http://${text.trim()}`
}

/** `localhost`, names below it, 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || inBlocks(LOOPBACK, name)
}

/** A literal address that names a machine or network of one's own: loopback, RFC 1918, link-local, unique local, unspecified. */
export function isPrivateAddress(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return isLoopback(name) || inBlocks(PRIVATE, name)
}

/** RFC 1918 alone (cnb-spec C-11). */
export function isRfc1918(host: string): boolean {
  return isIP(host) === 4 && inBlocks(RFC1918, host)
}

const LOOPBACK = blocks('127.0.0.0/8', '::1/128')
const RFC1918 = blocks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16')
const PRIVATE = blocks(
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '0.0.0.0/8',
  'fe80::/10',
  'fc00::/7',
  '::/128',
)

function blocks(...cidrs: string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) addCidr(list, cidr)
  return list
}

/** False when the text is no CIDR block. */
function addCidr(list: BlockList, text: string): boolean {
  const slash = text.lastIndexOf('/')
  const address = text.slice(0, Math.max(slash, 0))
  const bits = text.slice(slash + 1)
  const version = isIP(address)
  if (version === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) return false
  list.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6')
  return true
}

/** IPv4 inside IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it stands for; BlockList knows that. */
function inBlocks(list: BlockList, host: string): boolean {
  const version = isIP(host)
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

function noProxyMatcher(text: string): Matcher {
  const matchers: Matcher[] = []
  for (const part of text.split(',')) {
    const entry = part.trim().toLowerCase()
    if (entry === '*') return () => true
    const matcher = entry === '' ? undefined : entryMatcher(entry)
    if (matcher !== undefined) matchers.push(matcher)
  }
  return (host, port) => matchers.some((matches) => matches(host, port))
}

function entryMatcher(entry: string): Matcher | undefined {
  const list = new BlockList()
  if (addCidr(list, entry)) {
    // A block of IPv6 holds no IPv4 address, though each of them has a form in it.
    const ipv4 = isIPv4(entry)
    return (host) => isIPv4(host) === ipv4 && inBlocks(list, host)
  }
  const { host: named, port } = splitHostPort(entry)
  const portMatches = (actual: string) => port === undefined || port === '' || port === actual
  const version = isIP(named)
  if (version !== 0 && !named.includes('%')) {
    list.addAddress(named, version === 4 ? 'ipv4' : 'ipv6')
    return (host, actual) => inBlocks(list, host) && portMatches(actual)
  }
  if (named === '') return undefined
  // `.example.com` and `*.example.com` mean what is below; `example.com` means itself too.
  const suffix = ascii(named.startsWith('*.') ? named.slice(1) : named)
  const itself = !suffix.startsWith('.')
  const below = itself ? `.${suffix}` : suffix
  return (host, actual) => (host.endsWith(below) || (itself && host === suffix)) && portMatches(actual)
}

/** An IPv4 address or block, also in the form that IPv6 has for it. */
function isIPv4(text: string): boolean {
  return /^(?:::ffff:|\d+\.)/.test(text)
}

/** A name as URLs have it: `bücher.example` → `xn--bcher-kva.example`. */
function ascii(name: string): string {
  const [, dot = '', rest = ''] = /^(\.?)(.*)$/.exec(name) ?? []
  return /^[\x21-\x7e]*$/.test(rest) ? name : dot + domainToASCII(rest)
}

function splitHostPort(entry: string): { host: string; port?: string } {
  const bracketed = /^\[([^\]]*)\](?::(\d*))?$/.exec(entry)
  if (bracketed !== null) {
    return { host: bracketed[1] ?? '', ...(bracketed[2] === undefined ? {} : { port: bracketed[2] }) }
  }
  if (isIPv6(entry)) return { host: entry }
  const colon = entry.lastIndexOf(':')
  return colon < 0 ? { host: entry } : { host: entry.slice(0, colon), port: entry.slice(colon + 1) }
}
