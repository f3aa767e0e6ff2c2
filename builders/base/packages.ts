/** What the base images are made of: names of packages, who uses them, and which release they come from. Data. */

export type Architecture = 'amd64' | 'arm64'

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** One release of Debian: where its packages are and how the images name it. */
export interface Distribution {
  readonly name: 'debian'
  /** As `io.buildpacks.base.distro.version` has it. */
  readonly version: string
  readonly codename: string
  /** Suites of the main archive, the release itself first. */
  readonly suites: readonly string[]
  readonly securitySuite: string
}

export interface BaseRecipe {
  readonly kind: 'run' | 'build'
  readonly distribution: Distribution
  readonly packages: readonly string[]
  readonly account: Account
}

export const TRIXIE: Distribution = {
  name: 'debian',
  version: '13',
  codename: 'trixie',
  suites: ['trixie', 'trixie-updates'],
  securitySuite: 'trixie-security',
}

/**
 * A shell, the C and C++ libraries, OpenSSL, certificates, time zones: what an app and the scripts it is started with
 * (npm's, Gradle's) expect. bash is what the launcher starts shell processes with; libatomic is Node 26's.
 */
const RUN_PACKAGES = [
  'base-files',
  'base-passwd',
  'bash',
  'ca-certificates',
  'coreutils',
  'dash',
  'findutils',
  'grep',
  'libatomic1',
  'libc-bin',
  'libc6',
  'libgcc-s1',
  'libssl3t64',
  'libstdc++6',
  'mawk',
  'netbase',
  'sed',
  'tzdata',
  'zlib1g',
]

/** What native modules are compiled with and sources are fetched with. */
const BUILD_PACKAGES = [
  ...RUN_PACKAGES,
  'bzip2',
  'curl',
  'debianutils',
  'diffutils',
  'file',
  'g++',
  'gcc',
  'git',
  'gzip',
  'hostname',
  'jq',
  'libc6-dev',
  'make',
  'openssh-client',
  'openssl',
  'patch',
  'pkgconf',
  'procps',
  'python3',
  'tar',
  'unzip',
  'xz-utils',
  'zip',
]

/**
 * Never taken, though others depend on them: they install and configure packages, make accounts, or are documents. In
 * an image nothing is installed later. The sanitizers that hardly anybody builds with are 25 MB.
 */
export const NEVER = [
  'adduser',
  'debconf',
  'dpkg',
  'git-man',
  'init-system-helpers',
  'libhwasan0',
  'liblsan0',
  'libtsan2',
  'media-types',
  'passwd',
]

/** More that the run image does without: what brings them there is only run when a package is configured. */
const NOT_IN_RUN = ['debianutils', 'openssl', 'perl-base']

/** The same group on both sides, so that what was built is readable; different users, so that it is not writable at run time. */
const GROUP = 1000
const HOME = '/home/cnb'

export function baseRecipe(kind: 'run' | 'build', distribution: Distribution = TRIXIE): BaseRecipe {
  return kind === 'run'
    ? {
        kind,
        distribution,
        packages: RUN_PACKAGES,
        account: { name: 'cnb', uid: 1002, gid: GROUP, home: HOME },
      }
    : {
        kind,
        distribution,
        packages: BUILD_PACKAGES,
        account: { name: 'cnb', uid: 1001, gid: GROUP, home: HOME },
      }
}

/** Names that the dependency closure of a recipe leaves out. */
export function excludedFrom(recipe: BaseRecipe): readonly string[] {
  return recipe.kind === 'run' ? [...NEVER, ...NOT_IN_RUN] : NEVER
}
