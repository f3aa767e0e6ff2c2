import { SlipwayError } from '../../core/error.ts'
import { redact } from '../../core/http/index.ts'
import type { XzPool } from '../archive/xz.ts'
import type { CandidateArchives } from './apt-settings.ts'
import { type DebianAccess, type DebianArchive, fetchPackageIndex, findArchive } from './archive.ts'
import { type PackageIndex, packageIndex } from './packages.ts'

export interface IndexRequest {
  /** Where the archives may be; from the configuration or the machine's apt settings. */
  readonly archives: CandidateArchives
  /** Names of the settings that say where the archives are, for the error that asks for them. */
  readonly settings: { readonly main: string; readonly security: string }
  /** Suites of the main archive, the release itself first. */
  readonly suites: readonly string[]
  readonly securitySuite: string
  /** As Debian names it: `amd64`, `arm64`. */
  readonly architecture: string
  /** Armored public keys (keys.ts). */
  readonly keys: readonly string[]
  readonly now: Date
  /** Default true; false where the machine's owner switched it off for apt. */
  readonly checkValidity?: boolean
  /** Dates of the indices accepted last, by suite: an older one is refused. */
  readonly notBefore?: ReadonlyMap<string, Date>
}

export interface LoadedIndex {
  readonly index: PackageIndex
  /** The mirrors that answered: packages are fetched from them. */
  readonly archives: readonly DebianArchive[]
  /** Dates of the indices, by suite. */
  readonly dates: ReadonlyMap<string, Date>
}

/**
 * Fetches, verifies and reads the indices of a release: the main archive's suites and the security suite, for one
 * architecture, side by side.
 * @throws SlipwayError `SOURCE_DEBIAN_MIRROR_UNKNOWN` where no archive is named; `SOURCE_DEBIAN_MIRROR_INVALID`, `SOURCE_DEBIAN_…`, `SOURCE_XZ_…`, `HTTP_…`
 */
export async function loadIndex(
  access: DebianAccess,
  request: IndexRequest,
  pool: XzPool,
): Promise<LoadedIndex> {
  const { settings, archives, architecture } = request
  if (archives.main.length === 0) throw unknownMirror('packages', settings.main)
  if (archives.security.length === 0) throw unknownMirror('security updates', settings.security)
  const main = archives.main.map((uri) => address(uri, settings.main))
  const security = archives.security.map((uri) => address(uri, settings.security))
  // A security update wins over the same version elsewhere, so its archive comes first.
  const wanted = [
    { name: 'security', suite: request.securitySuite, uris: security },
    ...request.suites.map((suite) => ({ name: 'main', suite, uris: main }) as const),
  ] as const
  const loaded = await Promise.all(
    wanted.map(async ({ name, suite, uris }) => {
      const notBefore = request.notBefore?.get(suite)
      const { archive, release } = await findArchive(access, name, uris, request.keys, {
        suite,
        now: request.now,
        checkValidity: request.checkValidity ?? true,
        ...(notBefore === undefined ? {} : { notBefore }),
      })
      const texts = await fetchPackageIndex(access, archive, suite, release, architecture, pool)
      return { archive, suite, texts, date: release.date }
    }),
  )
  return {
    index: packageIndex(
      loaded.flatMap(({ archive, texts }) => texts.map((text) => ({ archive: archive.name, text }))),
    ),
    archives: loaded.map(({ archive }) => archive),
    dates: new Map(loaded.map(({ suite, date }) => [suite, date])),
  }
}

/** With a slash at its end, to which paths are appended. */
function address(uri: string, setting: string): string {
  if (URL.canParse(uri) && /^https?:/i.test(uri)) return uri.endsWith('/') ? uri : `${uri}/`
  throw new SlipwayError(
    'SOURCE_DEBIAN_MIRROR_INVALID',
    `not the address of a mirror: ${JSON.stringify(redact(uri))}`,
    {
      subject: setting,
      hint: `${setting} is an http or https URL: the folder in which dists/ stands`,
      class: 'usage',
    },
  )
}

function unknownMirror(what: string, setting: string): SlipwayError {
  return new SlipwayError('SOURCE_DEBIAN_MIRROR_UNKNOWN', `no mirror of Debian's ${what} is known`, {
    subject: setting,
    hint: `apt on this machine names none (or there is no apt): set ${setting} to the address of one`,
    class: 'usage',
  })
}
