import { secretUrls, written } from './address.ts'
import { parsePythonIni } from './ini.ts'
import type { PipSettings, RegistryCredentials } from './settings.ts'

/** One level of pip's configuration: option (`index-url`) → values. */
export type PipLevel = ReadonlyMap<string, string>

type Variables = Readonly<Record<string, string | undefined>>

/** Options of [global] and, over it, of [install] and [download], as pip reads them. */
export function parsePipConf(text: string): PipLevel {
  const level = new Map<string, string>()
  for (const wanted of ['global', 'download', 'install']) {
    for (const { section, key, value } of parsePythonIni(text))
      if (section === wanted) level.set(key.toLowerCase().replaceAll('_', '-'), value)
  }
  return level
}

/** `PIP_INDEX_URL` and its like; empty values do not count. uv's names stand in where pip's are not set. */
export function pipLevelOfEnvironment(env: Variables): PipLevel {
  const level = new Map<string, string>()
  const uv = {
    'index-url': env.UV_DEFAULT_INDEX ?? env.UV_INDEX_URL,
    'extra-index-url': env.UV_EXTRA_INDEX_URL,
  }
  for (const [key, value] of Object.entries(uv))
    if (value !== undefined && value !== '') level.set(key, value)
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('PIP_') && value !== undefined && value !== '')
      level.set(name.slice(4).toLowerCase().replaceAll('_', '-'), value)
  }
  return level
}

export interface PipConfiguration {
  readonly settings: PipSettings | undefined
  readonly credentials: Pick<RegistryCredentials, 'urls'>
  readonly proxy?: string
  /** Path of `cert`, as it stands. */
  readonly caFile?: string
}

/** The settings that pip would use, from its levels; the first one wins. Undefined settings: nothing that matters is set. */
export function pipConfiguration(...levels: readonly PipLevel[]): PipConfiguration {
  const urls = secretUrls()
  const value = (key: string) => levels.map((level) => level.get(key)).find((found) => found !== undefined)
  const words = (key: string) => (value(key) ?? '').split(/\s+/).filter((word) => word !== '')
  const addresses = (key: string) => words(key).flatMap((word) => urls.address(word) ?? [])
  const indexUrl = urls.address(value('index-url') ?? '')
  const settings: PipSettings = {
    ...(indexUrl === undefined ? {} : { indexUrl }),
    extraIndexUrls: addresses('extra-index-url'),
    findLinks: addresses('find-links'),
    trustedHosts: words('trusted-host').filter((host) => /^[A-Za-z0-9._[\]-]+(:\d+|:\*)?$/.test(host)),
    noIndex: /^(1|true|yes|on|t|y)$/i.test(value('no-index') ?? ''),
  }
  const proxy = value('proxy')
  const caFile = value('cert')
  return {
    settings: isEmpty(settings) ? undefined : settings,
    credentials: { urls: urls.urls },
    ...(proxy === undefined ? {} : { proxy }),
    ...(caFile === undefined ? {} : { caFile }),
  }
}

/** Forbidding the index means nothing without the local directories that were to replace it, which do not go along. */
function isEmpty(settings: PipSettings): boolean {
  const addresses = [settings.extraIndexUrls, settings.findLinks, settings.trustedHosts].flat()
  return settings.indexUrl === undefined && addresses.length === 0
}

/** The text of a pip.conf with these settings. */
export function writePipConf(settings: PipSettings, credentials: Pick<RegistryCredentials, 'urls'>): string {
  const list = (key: string, values: readonly string[]) =>
    values.length === 0 ? '' : `${key} =${values.map((value) => `\n    ${value}`).join('')}\n`
  // configparser in pip is RawConfigParser: a percent sign needs no escape.
  const full = (address: string) => written(address, credentials)
  return [
    '[global]\n',
    settings.indexUrl === undefined ? '' : `index-url = ${full(settings.indexUrl)}\n`,
    list('extra-index-url', settings.extraIndexUrls.map(full)),
    list('find-links', settings.findLinks.map(full)),
    list('trusted-host', settings.trustedHosts),
    settings.noIndex ? 'no-index = true\n' : '',
  ].join('')
}
