import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { type Emit, task } from '../../core/event.ts'
import type { HttpClient } from '../../core/http/index.ts'
import { hostBytes } from '../../core/root.ts'
import { type Digest, digestOf } from '../../oci/digest.ts'
import type { Image } from '../../oci/image.ts'
import type { Compression } from '../../oci/layer-source.ts'
import type { Layout } from '../../oci/layout/layout.ts'
import { addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'
import { type XzPool, xzPool } from '../../sources/archive/xz.ts'
import type { CandidateArchives } from '../../sources/debian/apt-settings.ts'
import type { DebianAccess } from '../../sources/debian/archive.ts'
import { fetchPackages } from '../../sources/debian/fetch.ts'
import { debianArchiveKeys } from '../../sources/debian/keys.ts'
import { type LoadedIndex, loadIndex } from '../../sources/debian/load-index.ts'
import type { PackageRecord } from '../../sources/debian/packages.ts'
import { resolve } from '../../sources/debian/resolve.ts'
import { labelOf, placeOf, storedImage } from '../names.ts'
import { applyFixups, FIXUPS_VERSION } from './fixups.ts'
import { baseConfig, CREATED, PACKAGES_LABEL, RECIPE_LABEL } from './image.ts'
import { treeLayer } from './layer.ts'
import {
  type Architecture,
  type BaseRecipe,
  baseRecipe,
  type Distribution,
  excludedFrom,
} from './packages.ts'
import { openSpool, type Spool } from './spool.ts'
import { treeOf, type UnpackedPackage, unpackPackages } from './unpack.ts'

/** How Debian's archives are reached on this machine. */
export interface DebianSettings {
  readonly http: HttpClient
  readonly archives: CandidateArchives
  /** Names of the two settings, for the error where no archive is known. */
  readonly settings: { readonly main: string; readonly security: string }
  /** Default true. */
  readonly checkValidity?: boolean
  /** Default: this machine's clock. */
  readonly now?: Date
  /** Default: Debian's own, which come with Slipway. */
  readonly keys?: readonly string[]
}

export interface AssembleOptions {
  readonly layout: Layout
  readonly names: { readonly run: string; readonly build: string }
  readonly distribution: Distribution
  readonly architecture: Architecture
  readonly debian: DebianSettings
  /** Where packages are while they are needed, and what is known of the index; a latin1 path. Kept between calls. */
  readonly directory: string
  readonly emit: Emit
  readonly signal?: AbortSignal
  /** Threads to decompress with; default: some of its own, one per core. */
  readonly xz?: XzPool
}

export interface BaseImages {
  readonly build: Image
  readonly run: Image
}

/** What an image of a recipe must say of itself to be up to date. */
export function recipeDigest(recipe: BaseRecipe, architecture: Architecture): Digest {
  const { account, distribution, packages } = recipe
  return digestOf(
    JSON.stringify([FIXUPS_VERSION, architecture, distribution, account, packages, excludedFrom(recipe)]),
  )
}

/** The identity of a set of packages, whatever mirror they come from. */
export function packagesDigest(records: readonly PackageRecord[]): Digest {
  return digestOf(
    JSON.stringify(
      records.map(({ name, version, architecture, sha256 }) => [name, version, architecture, sha256]),
    ),
  )
}

/** The images that are in the store already, if they were made by the present recipes. */
export async function storedBases(
  options: Pick<AssembleOptions, 'layout' | 'names' | 'distribution' | 'architecture'>,
): Promise<BaseImages | undefined> {
  const current = async (kind: 'run' | 'build'): Promise<Image | undefined> => {
    const image = await storedImage(options.layout, options.names[kind])
    const recipe = recipeDigest(baseRecipe(kind, options.distribution), options.architecture)
    return labelOf(image, RECIPE_LABEL) === recipe ? image : undefined
  }
  const [run, build] = [await current('run'), await current('build')]
  return run === undefined || build === undefined ? undefined : { run, build }
}

/**
 * Makes the build and the run image from distribution packages: index, download, unpack, layer, image. Where the index
 * has nothing new, the images of the store are returned. Packages are removed when their images are there.
 * @throws SlipwayError `SOURCE_…`, `HTTP_…`, `BUILDERS_…`, `OCI_…`
 */
export async function assembleBases(options: AssembleOptions): Promise<BaseImages> {
  const { emit, directory, layout, names, distribution, architecture } = options
  mkdirSync(hostBytes(directory), { recursive: true })
  const recipes = { run: baseRecipe('run', distribution), build: baseRecipe('build', distribution) }
  const pool = options.xz ?? xzPool()
  await using _own = options.xz === undefined ? pool : undefined

  const { archives, dates, sets } = await task(
    emit,
    'packages-index',
    `Reading the package index of Debian ${distribution.version}`,
    async () => {
      // The index is large: it must not outlive this.
      const { index, archives, dates } = await load(options, pool)
      const closure = (kind: 'run' | 'build'): readonly PackageRecord[] =>
        resolve(index, { packages: recipes[kind].packages, exclude: excludedFrom(recipes[kind]) })
      return { archives, dates, sets: { run: closure('run'), build: closure('build') } }
    },
    ({ sets }) => `${sets.build.length} packages for building, ${sets.run.length} for running`,
  )

  const stored = await storedBases(options)
  const isSame = (kind: 'run' | 'build'): boolean =>
    labelOf(stored?.[kind], PACKAGES_LABEL) === packagesDigest(sets[kind])
  if (stored !== undefined && isSame('run') && isSame('build')) return stored

  const records = union(sets.run, sets.build)
  using work = workDirectory(directory)
  const packages = await task(
    emit,
    'packages-download',
    'Downloading packages',
    () =>
      fetchPackages(access(options), archives, records, {
        directory: join(directory, 'packages'),
        workDirectory: work.path,
        emit,
        task: 'packages-download',
      }),
    (fetched) => `${fetched.length} packages`,
  )
  using spool = openSpool(join(work.path, 'unpacked'))
  const unpacked = await task(emit, 'packages-unpack', 'Unpacking packages', () =>
    unpackPackages(packages, spool, pool, { emit, task: 'packages-unpack', signal: options.signal }),
  )
  const write = (kind: 'run' | 'build'): Promise<Image> => {
    options.signal?.throwIfAborted()
    return task(
      emit,
      `base-${kind}`,
      `Writing the ${kind} image`,
      () => {
        const chosen = new Set(sets[kind].map(({ name }) => name))
        const parts = unpacked.filter(({ name }) => chosen.has(name))
        const labels = {
          [RECIPE_LABEL]: recipeDigest(recipes[kind], architecture),
          [PACKAGES_LABEL]: packagesDigest(sets[kind]),
        }
        return writeBase(layout, names[kind], recipes[kind], architecture, parts, spool, labels)
      },
      ({ digest }) => digest,
    )
  }
  const images = { run: await write('run'), build: await write('build') }
  rememberDates(directory, dates)
  rmSync(hostBytes(join(directory, 'packages')), { recursive: true, force: true })
  return images
}

const WORK_PREFIX = 'assembly-'
const DAY = 24 * 60 * 60 * 1000

/** A folder for this assembly, gone at its end; those that were left behind by a crash go after a day. */
function workDirectory(directory: string): Disposable & { readonly path: string } {
  for (const name of readdirSync(hostBytes(directory), 'latin1')) {
    const path = hostBytes(join(directory, name))
    if (!name.startsWith(WORK_PREFIX)) continue
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > DAY) rmSync(path, { recursive: true, force: true })
  }
  const path = join(directory, `${WORK_PREFIX}${randomBytes(6).toString('hex')}`)
  mkdirSync(hostBytes(path))
  return { path, [Symbol.dispose]: () => rmSync(hostBytes(path), { recursive: true, force: true }) }
}

/** Build images stay on the machine or go to registries as builders; run images go under every app, to any registry. */
const COMPRESSION: Readonly<Record<BaseRecipe['kind'], Compression>> = {
  run: { kind: 'gzip', level: 6 },
  build: { kind: 'zstd', level: 3 },
}

async function writeBase(
  layout: Layout,
  name: string,
  recipe: BaseRecipe,
  architecture: Architecture,
  packages: readonly UnpackedPackage[],
  spool: Spool,
  labels: Readonly<Record<string, string>>,
): Promise<Image> {
  const tree = treeOf(packages)
  const read = (path: string): Uint8Array | undefined => {
    const found = tree.resolve(path)
    const node = found === undefined ? undefined : tree.get(found)
    if (node?.type !== 'file') return undefined
    return node.content instanceof Uint8Array ? node.content : spool.bytes(node.content)
  }
  applyFixups({ tree, read }, recipe)
  const { repository, tag } = placeOf(layout, name)
  const written = await writeLayer(treeLayer(tree, spool), repository, {
    compression: COMPRESSION[recipe.kind],
  })
  return writeImage({
    repository,
    tags: [tag],
    layers: [
      addedLayer(written, {
        created: CREATED,
        created_by: `slipway: Debian ${recipe.distribution.codename}`,
      }),
    ],
    config: baseConfig(recipe, architecture, labels),
    created: CREATED,
  })
}

function access({ debian, signal }: AssembleOptions): DebianAccess {
  return { http: debian.http, ...(signal === undefined ? {} : { signal }) }
}

function load(options: AssembleOptions, pool: XzPool): Promise<LoadedIndex> {
  const { debian, distribution, architecture, directory } = options
  return loadIndex(
    access(options),
    {
      archives: debian.archives,
      settings: debian.settings,
      suites: distribution.suites,
      securitySuite: distribution.securitySuite,
      architecture,
      keys: debian.keys ?? debianArchiveKeys(),
      now: debian.now ?? new Date(),
      checkValidity: debian.checkValidity ?? true,
      notBefore: knownDates(directory),
    },
    pool,
  )
}

function union(...sets: readonly (readonly PackageRecord[])[]): readonly PackageRecord[] {
  const byName = new Map(sets.flat().map((record) => [record.name, record]))
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Dates of the indices that images were made from: a mirror that answers with much older ones is not believed. */
const DATES_FILE = 'index-dates.json'
/** How far one honest mirror may be behind another: as long as Debian's security indices are valid. */
const MIRROR_LAG = 7 * DAY

function knownDates(directory: string): ReadonlyMap<string, Date> {
  try {
    const found: unknown = JSON.parse(readFileSync(hostBytes(join(directory, DATES_FILE)), 'utf8'))
    const entries = Object.entries(found ?? {}).map(
      ([suite, date]) => [suite, new Date(Date.parse(String(date)) - MIRROR_LAG)] as const,
    )
    return new Map(entries.filter(([, date]) => !Number.isNaN(date.getTime())))
  } catch {
    // Not there yet, or damaged: it is only a memory.
    return new Map()
  }
}

function rememberDates(directory: string, accepted: LoadedIndex['dates']): void {
  const dates = Object.fromEntries([...accepted].map(([suite, date]) => [suite, date.toISOString()]))
  writeFileAtomically(join(directory, DATES_FILE), `${JSON.stringify(dates, undefined, 2)}\n`)
}
