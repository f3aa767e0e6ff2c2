import { type SecretUrls, secretUrls, written } from './address.ts'
import type { GoSettings, RegistryCredentials } from './settings.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Lists of addresses, and lists of module path patterns. */
const ADDRESSES = ['GOPROXY', 'GOSUMDB'] as const
const PATTERNS = ['GOPRIVATE', 'GONOPROXY', 'GONOSUMDB', 'GOINSECURE'] as const
const PATTERN_LIST = /^[A-Za-z0-9._~*?[\]/,-]+$/

/** The variables of a `go env -w` file: `NAME=value` lines. */
export function parseGoEnv(text: string): Record<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line)
    return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const]
  })
  return Object.fromEntries(pairs)
}

/** The go command's settings about modules; the environment wins over its file. Undefined where nothing is set. */
export function goConfiguration(
  env: Variables,
  file: Variables = {},
): { readonly settings: GoSettings | undefined; readonly credentials: Pick<RegistryCredentials, 'urls'> } {
  const urls = secretUrls()
  const variables: Record<string, string> = {}
  const value = (name: string) => (env[name] === undefined || env[name] === '' ? file[name] : env[name]) ?? ''
  for (const name of ADDRESSES) {
    const kept = name === 'GOPROXY' ? proxyList(value(name), urls) : sumDatabase(value(name), urls)
    if (kept !== '') variables[name] = kept
  }
  for (const name of PATTERNS) if (PATTERN_LIST.test(value(name))) variables[name] = value(name)
  const empty = Object.keys(variables).length === 0
  return { settings: empty ? undefined : { variables }, credentials: { urls: urls.urls } }
}

/** `https://a,https://b|direct`: addresses and the words `direct` and `off`; what is neither goes (a `file:` of this machine). */
function proxyList(text: string, urls: SecretUrls): string {
  let out = ''
  for (const [, separator, entry] of text.matchAll(/(^|[,|])([^,|]*)/g)) {
    const word = (entry ?? '').trim()
    const kept = word === 'direct' || word === 'off' ? word : urls.address(word)
    if (kept !== undefined) out += out === '' ? kept : `${separator === '|' ? '|' : ','}${kept}`
  }
  return out
}

/** `off`, `name`, `name+key` or either of the two and an address. */
function sumDatabase(text: string, urls: SecretUrls): string {
  const [name = '', address, ...rest] = text.trim().split(/\s+/)
  if (!/^[A-Za-z0-9.+/=_-]+$/.test(name) || rest.length > 0) return ''
  if (address === undefined) return name
  const kept = urls.address(address)
  return kept === undefined ? '' : `${name} ${kept}`
}

/** The text of a `go env -w` file with these settings. */
export function writeGoEnv(settings: GoSettings, credentials: Pick<RegistryCredentials, 'urls'>): string {
  const complete = (value: string) =>
    value
      .split(/([,| ])/)
      .map((part) => written(part, credentials))
      .join('')
  return Object.entries(settings.variables)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, value]) =>
        `${name}=${(ADDRESSES as readonly string[]).includes(name) ? complete(value) : value}\n`,
    )
    .join('')
}
