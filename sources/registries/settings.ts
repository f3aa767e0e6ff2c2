/**
 * What a machine says about package registries: where packages come from, through which proxy, trusting whom. Addresses
 * in the settings never hold a user name, password or query; what is secret stands apart, in the credentials.
 */

export interface RegistrySettings {
  readonly npm?: NpmSettings
  readonly pip?: PipSettings
  readonly go?: GoSettings
  readonly maven?: MavenSettings
  readonly apt?: AptSettings
  readonly proxy?: ProxyAddresses
  /** PEM certificates that are trusted besides the usual roots, one certificate each, no duplicates. */
  readonly certificates: readonly string[]
}

/** What must not leave the machine unless its owner asks for it. */
export interface RegistryCredentials {
  /** The complete form of an address whose user name, password or query was left out of the settings. */
  readonly urls: Readonly<Record<string, string>>
  /** Keys of .npmrc as they stand: `//host/path/:_authToken`. */
  readonly npm: Readonly<Record<string, string>>
  readonly maven: readonly MavenServer[]
  /** apt's auth.conf (netrc format). */
  readonly apt?: string
}

/** Settings with the credentials that belong to them. */
export interface RegistryAccess {
  readonly settings: RegistrySettings
  readonly credentials: RegistryCredentials
}

export interface NpmSettings {
  /** Absent where the machine leaves it to npm. */
  readonly registry?: string
  /** By scope, `@` included. */
  readonly scopes: Readonly<Record<string, string>>
  /** Other options of the allow-list, as they stand in .npmrc. */
  readonly options: Readonly<Record<string, string>>
}

export interface PipSettings {
  readonly indexUrl?: string
  readonly extraIndexUrls: readonly string[]
  /** Pages of links; local directories are not taken. */
  readonly findLinks: readonly string[]
  readonly trustedHosts: readonly string[]
  readonly noIndex: boolean
}

export interface GoSettings {
  /** `GOPROXY`, `GOSUMDB` … as the go command reads them. */
  readonly variables: Readonly<Record<string, string>>
}

export interface MavenSettings {
  readonly mirrors: readonly MavenMirror[]
  readonly profiles: readonly MavenProfile[]
}

export interface MavenMirror {
  readonly id: string
  readonly url: string
  readonly mirrorOf: string
}

/** Repositories of a profile that is active without a switch. */
export interface MavenProfile {
  readonly id: string
  readonly repositories: readonly MavenRepository[]
  readonly pluginRepositories: readonly MavenRepository[]
}

export interface MavenRepository {
  readonly id: string
  readonly url: string
}

export interface MavenServer {
  readonly id: string
  readonly username: string
  readonly password: string
}

export interface AptSettings {
  readonly sources: readonly AptSource[]
  /** `Acquire::http::Proxy`, `Acquire::https::Proxy`. */
  readonly proxy?: ProxyAddresses
}

export interface AptSource {
  readonly uri: string
  readonly suite: string
  readonly components: readonly string[]
}

/** Proxies as the environment names them; an absent member means none. */
export interface ProxyAddresses {
  readonly http?: string
  readonly https?: string
  /** `NO_PROXY` as it stands. */
  readonly noProxy?: string
}

export const NO_CREDENTIALS: RegistryCredentials = { urls: {}, npm: {}, maven: [] }

/** Credentials of several sources as one; later ones win. */
export function mergeCredentials(...all: readonly Partial<RegistryCredentials>[]): RegistryCredentials {
  const apt = all.flatMap((one) => one.apt ?? []).join('\n')
  return {
    urls: Object.assign({}, ...all.map((one) => one.urls)),
    npm: Object.assign({}, ...all.map((one) => one.npm)),
    maven: all.flatMap((one) => one.maven ?? []),
    ...(apt === '' ? {} : { apt }),
  }
}
