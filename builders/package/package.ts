import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Emit, task } from '../../core/event.ts'
import type { HttpClient } from '../../core/http/index.ts'
import { hostBytes } from '../../core/root.ts'
import type { Image } from '../../oci/image.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { entriesLayer } from '../../oci/tar/walk.ts'
import { xzPool } from '../../sources/archive/xz.ts'
import type { NpmRegistry } from '../../sources/npm/registry.ts'
import type { DebianSettings } from '../base/assemble.ts'
import type { Architecture } from '../base/packages.ts'
import { type LifecycleFiles, packagedEntries } from '../lifecycle-layers.ts'
import { archiveName, writeArchive } from './archive.ts'
import { bundleLifecycle } from './bundle.mjs'
import { writeLifecycleImage, writeLifecycleIndex } from './image.ts'
import { packagedLibraries } from './libraries.ts'
import { lockedNode, packagedNode } from './node.ts'

export interface PackageOptions {
  /** The sources; its node_modules holds what its lock names. */
  readonly clone: string
  /** Where the results go; what an earlier packaging of this version left is replaced. */
  readonly output: string
  readonly architectures: readonly Architecture[]
  readonly debian: DebianSettings
  readonly npm: { readonly http: HttpClient; readonly registry: NpmRegistry }
  readonly emit: Emit
}

/** What the parts of one packaging share. */
export interface PackageContext {
  /** A folder of this packaging alone. */
  readonly directory: string
  readonly emit: Emit
}

export interface Packaged {
  readonly version: string
  /** Paths and bytes. */
  readonly archives: readonly { readonly path: string; readonly size: number }[]
  /** OCI layout with the images `<version>-linux-<architecture>` and the index `<version>`. */
  readonly image: string
}

/**
 * Packages the lifecycle (cnb-spec §1.9, DI-43) for some architectures, each from any: archives for builders, and an image.
 * The same sources, lock and Debian packages give the same bytes.
 * @throws SlipwayError `SOURCE_…`, `HTTP_…`, `BUILDERS_…`, `OCI_…`
 */
export async function packageLifecycle(options: PackageOptions): Promise<Packaged> {
  const { clone, output, emit, architectures } = options
  const version = versionOf(clone)
  mkdirSync(hostBytes(output), { recursive: true })
  const directory = mkdtempSync(join(output, '.packaging-'))
  try {
    await using pool = xzPool()
    const layout = openLayout(join(directory, 'image'))
    const images: Image[] = []
    const archives: { readonly path: string; readonly size: number }[] = []
    for (const architecture of architectures) {
      const entries = await entriesFor(architecture, version, options, { directory, emit }, pool)
      const name = archiveName(version, architecture)
      const size = await task(emit, name, `Writing ${name}`, () =>
        writeArchive(entriesLayer(entries('')), join(directory, name)),
      )
      archives.push({ path: join(output, name), size })
      const layer = entriesLayer([CNB, ...entries('/cnb/')])
      images.push(
        await task(emit, `image-${architecture}`, `Writing the image for ${architecture}`, () =>
          writeLifecycleImage(layout, layer, architecture, version),
        ),
      )
    }
    await writeLifecycleIndex(layout.repository(''), images, version)
    // Its memory of other writers; it is written for readers.
    rmSync(join(directory, 'image', '.slipway'), { recursive: true, force: true })

    for (const { path } of archives)
      for (const end of ['', '.sha256']) moveInto(directory, output, nameIn(output, path) + end)
    const image = `lifecycle-v${version}.oci`
    rmSync(join(output, image), { recursive: true, force: true })
    renameSync(join(directory, 'image'), join(output, image))
    return { version, archives, image: join(output, image) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const CNB = { type: 'directory', name: '/cnb', mode: 0o755, uid: 0, gid: 0 } as const

function versionOf(clone: string): string {
  return (JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')) as { version: string }).version
}

/** Everything of one architecture; the result gives it under any name. */
async function entriesFor(
  architecture: Architecture,
  version: string,
  { clone, debian, npm }: PackageOptions,
  context: PackageContext,
  pool: ReturnType<typeof xzPool>,
): Promise<(top: string) => ReturnType<typeof packagedEntries>> {
  const lock = readFileSync(join(clone, 'package-lock.json'), 'utf8')
  // One after the other: where one fails, nothing may still be writing into the folder that is removed.
  const libraries = await packagedLibraries(debian, architecture, context, pool)
  const node = await packagedNode(npm, lockedNode(lock, architecture), context)
  const folder = join(context.directory, `bundle-${architecture}`)
  mkdirSync(folder)
  await bundleLifecycle({ clone, dependencies: clone, version, folder, libraries: libraries.components })
  const files = lifecycleFiles(folder, join(clone, 'native', 'built', architecture), node.host)
  return (top) => packagedEntries(top, files, { node, libraries: libraries.files }, version)
}

function lifecycleFiles(bundle: string, native: string, node: string): LifecycleFiles {
  const names = readdirSync(bundle).filter((name) => name !== 'lifecycle.cjs')
  return {
    node,
    starter: join(native, 'starter'),
    launcher: join(native, 'launcher'),
    bundle: join(bundle, 'lifecycle.cjs'),
    others: Object.fromEntries(names.map((name) => [name, join(bundle, name)])),
  }
}

function nameIn(folder: string, path: string): string {
  return path.slice(folder.length + 1)
}

function moveInto(from: string, to: string, name: string): void {
  renameSync(join(from, name), join(to, name))
}
