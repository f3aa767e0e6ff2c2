import { parseJsonObject, userError } from '../sdk/index.ts'

/** A package of the lock file, by where it is installed: `node_modules/a/node_modules/b`. */
export interface LockedPackage {
  readonly path: string
  /** `@scope/name` as it is published, also where it is installed under an alias. */
  readonly name: string
  readonly version: string
  readonly integrity: string | undefined
  readonly license: string | undefined
  /** Only needed for development. */
  readonly isDev: boolean
  readonly isOptional: boolean
  /** A link to a directory of the app: a workspace or a `file:` dependency. */
  readonly isLink: boolean
  readonly hasInstallScript: boolean
  /** Comes inside of another package's archive. */
  readonly isBundled: boolean
  readonly os: readonly string[]
  readonly cpu: readonly string[]
  /** Names of what it needs. */
  readonly needs: readonly string[]
  readonly resolved: string | undefined
  /** Commands that it puts into node_modules/.bin. */
  readonly commands: readonly string[]
}

export interface LockFile {
  /** `package-lock.json` or `npm-shrinkwrap.json`. */
  readonly file: string
  readonly text: string
  readonly packages: readonly LockedPackage[]
  /** What the app itself needs at run time. */
  readonly rootNeeds: readonly string[]
}

/**
 * Reads a lock file of npm 7 or later.
 * @throws SlipwayError `NODE_LOCK_INVALID`, `NODE_LOCK_TOO_OLD`
 */
export function parseLockFile(text: string, file: string): LockFile {
  const raw = parseJsonObject(text, file, 'NODE_LOCK_INVALID')
  const { packages } = raw
  if (!isObject(packages)) {
    throw userError('NODE_LOCK_TOO_OLD', `${file} has the form of npm 6 and before`, {
      subject: `${file}: lockfileVersion ${String(raw.lockfileVersion)}`,
      hint: `Run "npm install --package-lock-only" with npm 7 or later and commit ${file}.`,
    })
  }
  const root = packages['']
  return {
    file,
    text,
    packages: Object.entries(packages).flatMap(([path, entry]) =>
      path === '' || !isObject(entry) ? [] : [lockedPackage(path, entry)],
    ),
    rootNeeds: isObject(root) ? namesIn(root, 'dependencies', 'optionalDependencies') : [],
  }
}

/** Commands that are there while the app is built, and not in the image: only development packages bring them. */
export function developmentCommands({ packages }: LockFile): ReadonlySet<string> {
  const top = packages.filter(({ path }) => path.lastIndexOf('node_modules/') === 0)
  const commands = (isDev: boolean) => top.filter((one) => one.isDev === isDev).flatMap((one) => one.commands)
  const kept = new Set(commands(false))
  return new Set(commands(true).filter((name) => !kept.has(name)))
}

function lockedPackage(path: string, entry: Readonly<Record<string, unknown>>): LockedPackage {
  const text = (key: string) => (typeof entry[key] === 'string' ? entry[key] : undefined)
  const installed = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  return {
    path,
    name: text('name') ?? installed,
    version: text('version') ?? '',
    integrity: text('integrity'),
    license: text('license'),
    isDev: entry.dev === true,
    isOptional: entry.optional === true || entry.devOptional === true,
    isLink: entry.link === true,
    hasInstallScript: entry.hasInstallScript === true,
    isBundled: entry.inBundle === true,
    os: strings(entry.os),
    cpu: strings(entry.cpu),
    needs: namesIn(entry, 'dependencies', 'optionalDependencies', 'peerDependencies'),
    resolved: text('resolved'),
    commands: isObject(entry.bin) ? Object.keys(entry.bin) : [],
  }
}

/** Whether npm installs a package on Linux of an architecture: `os` and `cpu` list what fits, or with `!` what does not. */
export function fitsPlatform(one: Pick<LockedPackage, 'os' | 'cpu'>, cpu: string): boolean {
  return fits(one.os, 'linux') && fits(one.cpu, cpu)
}

function fits(list: readonly string[], value: string): boolean {
  if (list.includes(`!${value}`)) return false
  const wanted = list.filter((item) => !item.startsWith('!'))
  return wanted.length === 0 || wanted.includes(value) || wanted.includes('any')
}

/** Where Node finds `name` from the package at `path`: in the nearest node_modules above; undefined where it is not installed. */
export function resolveFrom(paths: ReadonlySet<string>, path: string, name: string): string | undefined {
  for (let at = path; ; ) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (paths.has(candidate)) return candidate
    if (at === '') return undefined
    const cut = at.lastIndexOf('/node_modules/')
    at = cut < 0 ? '' : at.slice(0, cut)
  }
}

function namesIn(entry: Readonly<Record<string, unknown>>, ...keys: readonly string[]): string[] {
  return keys.flatMap((key) => (isObject(entry[key]) ? Object.keys(entry[key]) : []))
}

function strings(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value]
  return list.filter((item): item is string => typeof item === 'string')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
