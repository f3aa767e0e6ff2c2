import { type SecretUrls, secretUrls, written } from './address.ts'
import type {
  MavenMirror,
  MavenProfile,
  MavenRepository,
  MavenSettings,
  ProxyAddresses,
  RegistryCredentials,
} from './settings.ts'
import { at, escapeXml, parseXml, textOf, type XmlElement } from './xml.ts'

type Variables = Readonly<Record<string, string | undefined>>

export interface MavenConfiguration {
  readonly settings: MavenSettings | undefined
  readonly credentials: Pick<RegistryCredentials, 'maven' | 'urls'>
  readonly proxy: ProxyAddresses
}

/** Mirrors, the repositories of profiles that are active without a switch, servers and proxies of a settings.xml. */
export function parseMavenSettings(text: string, env: Variables): MavenConfiguration {
  const urls = secretUrls()
  const top = at(parseXml(text), 'settings').flatMap((element) => element.children)
  const value = (element: XmlElement, name: string) => expand(textOf(element, name), env)

  const mirrors = at(top, 'mirrors', 'mirror').flatMap((element): MavenMirror[] => {
    const url = urls.address(value(element, 'url'))
    return url === undefined
      ? []
      : [{ id: textOf(element, 'id'), url, mirrorOf: textOf(element, 'mirrorOf') }]
  })
  const named = at(top, 'activeProfiles', 'activeProfile').map((element) => element.text)
  const profiles = at(top, 'profiles', 'profile').flatMap((element): MavenProfile[] => {
    const id = textOf(element, 'id')
    const byDefault = at(element.children, 'activation', 'activeByDefault').some(
      ({ text }) => text === 'true',
    )
    const profile: MavenProfile = {
      id,
      repositories: repositories(at(element.children, 'repositories', 'repository'), urls, env),
      pluginRepositories: repositories(
        at(element.children, 'pluginRepositories', 'pluginRepository'),
        urls,
        env,
      ),
    }
    const used = profile.repositories.length + profile.pluginRepositories.length > 0
    return used && (named.includes(id) || (byDefault && named.length === 0)) ? [profile] : []
  })
  const servers = at(top, 'servers', 'server').map((element) => ({
    id: textOf(element, 'id'),
    username: value(element, 'username'),
    password: value(element, 'password'),
  }))
  return {
    settings: mirrors.length + profiles.length === 0 ? undefined : { mirrors, profiles },
    credentials: {
      maven: servers.filter(({ id, username, password }) => id !== '' && username + password !== ''),
      urls: urls.urls,
    },
    proxy: activeProxies(at(top, 'proxies', 'proxy'), env),
  }
}

function repositories(elements: readonly XmlElement[], urls: SecretUrls, env: Variables): MavenRepository[] {
  return elements.flatMap((element) => {
    const url = urls.address(expand(textOf(element, 'url'), env))
    return url === undefined ? [] : [{ id: textOf(element, 'id'), url }]
  })
}

/** A proxy that wants a password is not taken: the environment's proxies are the place for those. */
function activeProxies(elements: readonly XmlElement[], env: Variables): ProxyAddresses {
  let found: ProxyAddresses = {}
  for (const element of elements) {
    const value = (name: string) => expand(textOf(element, name), env)
    if (value('active') === 'false' || value('username') !== '' || value('host') === '') continue
    const address = secretUrls().address(`http://${value('host')}:${value('port') || '8080'}`)
    if (address === undefined) continue
    const noProxy = value('nonProxyHosts').replaceAll('|', ',').replaceAll('*.', '.')
    // Maven's `protocol` is that of the proxy in old versions and of the request in new ones: taken as the request's.
    if (value('protocol') === 'https') found = { ...found, https: found.https ?? address }
    else found = { ...found, http: found.http ?? address, https: found.https ?? address }
    if (noProxy !== '') found = { ...found, noProxy }
  }
  return found
}

/** `${env.NAME}`; other properties stay, and make no address. */
function expand(text: string, env: Variables): string {
  return text.replace(/\$\{env\.([^}]+)\}/g, (whole, name: string) => env[name] ?? whole)
}

/** The text of a settings.xml with these settings, and with the servers where credentials are given. */
export function writeMavenSettings(
  settings: MavenSettings,
  credentials: Pick<RegistryCredentials, 'maven' | 'urls'>,
): string {
  const leaf = (name: string, text: string) => `<${name}>${escapeXml(text)}</${name}>`
  const group = (name: string, items: readonly string[]) =>
    items.length === 0 ? '' : `  <${name}>\n${items.map((item) => `    ${item}\n`).join('')}  </${name}>\n`
  const repository = (name: string) => (one: MavenRepository) =>
    `<${name}>${leaf('id', one.id)}${leaf('url', written(one.url, credentials))}</${name}>`
  const mirrors = settings.mirrors.map(
    (one) =>
      `<mirror>${leaf('id', one.id)}${leaf('url', written(one.url, credentials))}${leaf('mirrorOf', one.mirrorOf)}</mirror>`,
  )
  const profiles = settings.profiles.map(
    (one) =>
      `<profile>${leaf('id', one.id)}<repositories>${one.repositories.map(repository('repository')).join('')}</repositories>` +
      `<pluginRepositories>${one.pluginRepositories.map(repository('pluginRepository')).join('')}</pluginRepositories></profile>`,
  )
  const servers = credentials.maven.map(
    (one) =>
      `<server>${leaf('id', one.id)}${leaf('username', one.username)}${leaf('password', one.password)}</server>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<settings>\n${group('servers', servers)}${group('mirrors', mirrors)}${group(
    'profiles',
    profiles,
  )}${group(
    'activeProfiles',
    settings.profiles.map((one) => leaf('activeProfile', one.id)),
  )}</settings>\n`
}
