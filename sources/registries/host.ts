/** The edge: reads what the machine's package managers are told, once, for the command. Rooms below get the values. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { CERTIFICATE_BUNDLES } from '../../core/http/environment.ts'
import { proxyAddress, secretUrls } from './address.ts'
import { type AptFiles, aptConfiguration } from './apt.ts'
import type { Binding } from './binding.ts'
import { toBindings } from './bindings.ts'
import { goConfiguration, parseGoEnv } from './go.ts'
import { parseMavenSettings } from './maven.ts'
import { npmConfiguration, npmLevelOfEnvironment, parseNpmrc } from './npmrc.ts'
import { newCertificates, splitCertificates } from './pem.ts'
import { parsePipConf, pipConfiguration, pipLevelOfEnvironment } from './pip.ts'
import { firstProxies, proxyOfEnvironment } from './proxy.ts'
import { mergeCredentials, type RegistryAccess } from './settings.ts'

export interface HostPlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's home directory; its files are left out where it is unknown. */
  readonly home: string | undefined
  /** The machine's /; other directories in tests. Default `/`. */
  readonly root?: string
}

const LARGEST_FILE = 8 * 1024 * 1024

/**
 * The package registry settings of this machine. Files that are missing or unreadable count as empty: they are other
 * programs' files, and a build that does not need them must not fail over them.
 */
export async function readHostSettings(places: HostPlaces): Promise<RegistryAccess> {
  const { env } = places
  const root = places.root ?? '/'
  const home = (...parts: string[]) => (places.home === undefined ? undefined : join(places.home, ...parts))

  const npm = npmConfiguration(
    npmLevelOfEnvironment(env),
    parseNpmrc(await text(variable(env, 'npm_config_userconfig') ?? home('.npmrc')), env),
    parseNpmrc(await firstText(globalNpmrcs(env, root)), env),
  )
  const configHome = env.XDG_CONFIG_HOME || home('.config')
  const pipFiles =
    env.PIP_CONFIG_FILE === '/dev/null'
      ? []
      : [
          env.PIP_CONFIG_FILE,
          configHome === undefined ? undefined : join(configHome, 'pip', 'pip.conf'),
          home('.pip', 'pip.conf'),
          join(root, 'etc', 'pip.conf'),
        ]
  const pip = pipConfiguration(
    pipLevelOfEnvironment(env),
    ...(await Promise.all(pipFiles.map(async (file) => parsePipConf(await text(file))))),
  )
  const goFile = env.GOENV || (configHome === undefined ? undefined : join(configHome, 'go', 'env'))
  const go = goConfiguration(env, parseGoEnv(await text(goFile === 'off' ? undefined : goFile)))
  const maven = parseMavenSettings(await text(home('.m2', 'settings.xml')), env)
  const apt = aptConfiguration(await aptFiles(join(root, 'etc', 'apt')))
  const environment = proxyOfEnvironment(env)
  const pipUrls = secretUrls()
  const pipProxy = proxyAddress(pip.proxy ?? '', pipUrls)

  const bundles = [env.NODE_EXTRA_CA_CERTS, env.SSL_CERT_FILE, npm.caFile, pip.caFile, env.REQUESTS_CA_BUNDLE]
  const pems = await Promise.all([
    firstText(CERTIFICATE_BUNDLES.map((file) => join(root, file))),
    ...bundles.map((file) => text(file)),
  ])
  const certificates = newCertificates(
    [...pems.flatMap(splitCertificates), ...npm.certificates],
    rootCertificates,
  )

  const npmSet = npm.settings.registry !== undefined || Object.keys(npm.settings.scopes).length > 0
  return {
    settings: {
      ...(npmSet || Object.keys(npm.settings.options).length > 0 ? { npm: npm.settings } : {}),
      ...(pip.settings === undefined ? {} : { pip: pip.settings }),
      ...(go.settings === undefined ? {} : { go: go.settings }),
      ...(maven.settings === undefined ? {} : { maven: maven.settings }),
      ...(apt.settings === undefined ? {} : { apt: apt.settings }),
      proxy: firstProxies(
        environment.proxy,
        npm.proxy,
        pipProxy === undefined ? {} : { http: pipProxy, https: pipProxy },
        maven.proxy,
      ),
      certificates,
    },
    credentials: mergeCredentials(
      npm.credentials,
      pip.credentials,
      go.credentials,
      maven.credentials,
      apt.credentials,
      environment.credentials,
      { urls: pipUrls.urls },
    ),
  }
}

/** The machine's settings as bindings of a build; credentials only where the user asked for them. */
export async function hostBindings(
  places: HostPlaces & { readonly withCredentials: boolean },
): Promise<Binding[]> {
  return toBindings(await readHostSettings(places), { credentials: places.withCredentials })
}

function variable(env: HostPlaces['env'], name: string): string | undefined {
  return env[name] || env[name.toUpperCase()]
}

/** npm's global file stands beside the Node or npm that is in use: every candidate of the PATH, then /etc. */
function globalNpmrcs(env: HostPlaces['env'], root: string): string[] {
  const given = variable(env, 'npm_config_globalconfig')
  if (given !== undefined) return [given]
  const prefixes = [
    ...[variable(env, 'npm_config_prefix')].flatMap((prefix) => prefix ?? []),
    ...(env.PATH ?? '').split(':').filter(isAbsolute).map(dirname),
  ]
  return [...prefixes.map((prefix) => join(prefix, 'etc', 'npmrc')), join(root, 'etc', 'npmrc')]
}

async function aptFiles(folder: string): Promise<AptFiles> {
  const below = async (name: string, wanted: RegExp) => {
    const names = await readdir(join(folder, name)).catch(() => [])
    return Promise.all(
      names
        .filter((file) => wanted.test(file))
        .sort()
        .map((file) => text(join(folder, name, file))),
    )
  }
  return {
    lists: [await text(join(folder, 'sources.list')), ...(await below('sources.list.d', /\.list$/))],
    sources: await below('sources.list.d', /\.sources$/),
    configurations: [
      ...(await below('apt.conf.d', /^[A-Za-z0-9_-]+(\.conf)?$/)),
      await text(join(folder, 'apt.conf')),
    ],
    logins: [await text(join(folder, 'auth.conf')), ...(await below('auth.conf.d', /\.conf$/))],
  }
}

async function firstText(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const found = await text(path)
    if (found !== '') return found
  }
  return ''
}

/** The text of a file, empty where there is none that can be read. */
async function text(path: string | undefined): Promise<string> {
  if (path === undefined || path === '') return ''
  try {
    const bytes = await readFile(path)
    return bytes.length > LARGEST_FILE ? '' : bytes.toString('utf8')
  } catch {
    return ''
  }
}
