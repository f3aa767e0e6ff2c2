/** What apt's own files say (sources.list(5), apt.conf(5)), as data. Pure: apt-host.ts reads the files. */
import { parseStanzas } from './deb822.ts'

/** One archive and suite that apt is set up to use. */
export interface AptSource {
  /** http or https, with a slash at its end; or a `mirror+file:` list of such. */
  readonly uri: string
  readonly suite: string
  readonly components: readonly string[]
  /** A keyring's path or an armored key, as written. */
  readonly signedBy?: string
}

/** Parses the one-line format. `deb-src` lines, `cdrom:` and other transports are left out. */
export function parseSourcesList(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]\S*)*)\s*(?:#.*)?$/.exec(line)
    const [, options = '', uri = '', suite = '', components = ''] = match ?? []
    if (match === null || !isUsable(uri)) return []
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]
    return [
      {
        uri: withSlash(uri),
        suite,
        components: words(components),
        ...(signedBy === undefined ? {} : { signedBy }),
      },
    ]
  })
}

/** Parses the deb822 format (`*.sources`). A stanza with `Enabled: no` is left out. */
export function parseDeb822Sources(text: string): readonly AptSource[] {
  return parseStanzas(text).flatMap((stanza) => {
    if (/^(no|false|0|off|disable|without)$/i.test(stanza.get('enabled') ?? 'yes')) return []
    if (!words(stanza.get('types') ?? '').includes('deb')) return []
    const signedBy = stanza.get('signed-by')
    const rest = {
      components: words(stanza.get('components') ?? ''),
      ...(signedBy === undefined || signedBy === '' ? {} : { signedBy }),
    }
    return words(stanza.get('uris') ?? '')
      .filter(isUsable)
      .flatMap((uri) =>
        words(stanza.get('suites') ?? '').map((suite) => ({ uri: withSlash(uri), suite, ...rest })),
      )
  })
}

/** Parses a file that `mirror+file:` names: one address a line, a tab and its metadata behind it. */
export function parseMirrorList(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s/)[0] ?? '')
    .filter((uri) => /^https?:\/\//i.test(uri))
    .map(withSlash)
}

/** Addresses under which Debian's archives may be found, in the order in which they are worth trying. */
export interface CandidateArchives {
  readonly main: readonly string[]
  readonly security: readonly string[]
}

/** Sorts the addresses of sources by which archive they hold; those that name Debian's own keyring come first. */
export function candidateArchives(sources: readonly AptSource[]): CandidateArchives {
  const uris = (isWanted: (source: AptSource) => boolean): string[] => {
    const wanted = sources.filter((source) => source.components.includes('main') && isWanted(source))
    const known = wanted.filter(({ signedBy }) => signedBy?.includes('debian-archive') ?? false)
    return [...new Set([...known, ...wanted].map(({ uri }) => uri))]
  }
  return { main: uris(({ suite }) => !isSecurity(suite)), security: uris(({ suite }) => isSecurity(suite)) }
}

function isSecurity(suite: string): boolean {
  return /-security$|\/updates$/.test(suite)
}

/** The name apt keeps a fetched file under in its lists directory. */
export function aptListName(source: AptSource, file: 'InRelease' | 'Release'): string {
  const plain = source.uri.replace(/^[a-z0-9+]+:\/+/i, '').replace(/^[^@/]*@/, '')
  const quoted = `${plain}dists/${source.suite}/${file}`.replace(
    /[\\:|"<>_^*@]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  )
  return quoted.replaceAll('/', '_')
}

/** Values of apt.conf by lower-case name (`acquire::http::proxy`), in the order they stand; a later one overrides. */
export type AptConf = ReadonlyMap<string, readonly string[]>

const CONF_TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|#[^\n]*|"((?:[^"\\]|\\.)*)"|([{};])|([^\s{};"]+)/g

/** Parses apt.conf texts, nested blocks and comments included. `#include` and `#clear` are not followed. */
export function parseAptConf(text: string): AptConf {
  const values = new Map<string, string[]>()
  const scopes: string[] = []
  let name: string | undefined
  let value: string | undefined
  const full = (last: string): string =>
    [...scopes, last]
      .filter((part) => part !== '')
      .join('::')
      .toLowerCase()
  const flush = (): void => {
    if (value !== undefined) {
      const key = full(name ?? '')
      values.set(key, [...(values.get(key) ?? []), value])
    }
    name = undefined
    value = undefined
  }
  for (const [token, quoted, sign, word] of text.matchAll(CONF_TOKEN)) {
    if (quoted !== undefined) value = quoted.replaceAll(/\\(.)/g, '$1')
    else if (word !== undefined) {
      if (name === undefined) name = word
      else value = word
    } else if (sign === '{') {
      scopes.push(name ?? '')
      name = undefined
    } else if (sign === '}') {
      flush()
      scopes.pop()
    } else if (sign === ';') flush()
    else if (token === '') break
  }
  return values
}

/** Proxies of apt.conf in the form the HTTP client takes; hosts set to `DIRECT` become exceptions. */
export interface AptProxies {
  readonly http?: string
  readonly https?: string
  readonly noProxy?: string
}

/** `Acquire::http::Proxy`, `Acquire::https::Proxy` and their per-host forms of value `DIRECT`. */
export function aptProxies(conf: AptConf): AptProxies {
  const proxy = (scheme: string): string | undefined => {
    const last = conf.get(`acquire::${scheme}::proxy`)?.at(-1)
    return last === undefined || last === '' || /^(direct|false)$/i.test(last) ? undefined : last
  }
  const direct = [...conf].flatMap(([key, list]) => {
    const host = /^acquire::https?::proxy::(.+)$/.exec(key)?.[1]
    return host !== undefined && /^direct$/i.test(list.at(-1) ?? '') ? [host] : []
  })
  const http = proxy('http')
  // apt takes the http proxy for https too where https has none of its own (apt-transport-https(1)).
  const https = proxy('https') ?? http
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(direct.length === 0 ? {} : { noProxy: [...new Set(direct)].join(',') }),
  }
}

/** Whether the owner of the machine lets apt take an index beyond its date (`Acquire::Check-Valid-Until "false"`). */
export function aptChecksValidity(conf: AptConf): boolean {
  const says = (key: string): string => conf.get(key)?.at(-1) ?? 'true'
  return ['acquire::check-valid-until', 'acquire::check-date'].every(
    (key) => !/^(false|no|0|off)$/i.test(says(key)),
  )
}

function isUsable(uri: string): boolean {
  return /^(?:https?:\/\/|mirror\+file:)/i.test(uri)
}

function withSlash(uri: string): string {
  return uri.endsWith('/') || /^mirror\+file:/i.test(uri) ? uri : `${uri}/`
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
