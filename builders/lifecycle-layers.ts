import { lstatSync } from 'node:fs'
import { SlipwayError } from '../core/error.ts'
import { hostBytes } from '../core/root.ts'
import type { LayerSource } from '../oci/layer-source.ts'
import { entriesLayer, type LayerEntry } from '../oci/tar/walk.ts'
import { LIFECYCLE_APIS, writeLifecycleDescriptor } from '../spec/files/lifecycle-descriptor.ts'
import type { RuntimeFile } from './runtime.ts'

/** Files of this machine (latin1 paths) that a builder's lifecycle is made of. */
export interface LifecycleFiles {
  /** Node's program for the builder's architecture. */
  readonly node: string
  /** native/built/<architecture>/starter */
  readonly starter: string
  /** native/built/<architecture>/launcher */
  readonly launcher: string
  /** The phases, bundled into one file. */
  readonly bundle: string
  /** Others that stand flat beside them (code cache, SBOMs), by name. */
  readonly others?: Readonly<Record<string, string>>
}

/** A file of this machine, a latin1 path. */
interface HostFile {
  readonly host: string
  readonly size: number
}

const FOLDER = '/cnb/lifecycle'
const OWNER = { uid: 0, gid: 0 }

/** The phases that a lifecycle has: links to the starter, which looks at the name it was called by. */
const PHASES = ['analyzer', 'builder', 'creator', 'detector', 'exporter', 'extender', 'rebaser', 'restorer']

const SBOM_FORMATS = ['application/vnd.cyclonedx+json', 'application/spdx+json', 'application/vnd.syft+json']

/** Node and the libraries it runs with: large, and changed only by a new Node or new packages. */
export function runtimeLayer(node: HostFile, libraries: readonly RuntimeFile[]): LayerSource {
  return entriesLayer([...folders(), ...sorted(runtimeEntries(FOLDER, node, libraries))])
}

/** The lifecycle itself: programs, the bundle, the descriptor (lifecycle-behaviour §5.1). */
export function lifecycleLayer(files: LifecycleFiles, version: string): LayerSource {
  return entriesLayer([
    ...folders(),
    ...sorted(lifecycleEntries(FOLDER, files)),
    descriptorEntry('/cnb/lifecycle.toml', version),
  ])
}

/**
 * All of it in one tar, as a packaged lifecycle has it (cnb-spec DI-43): the descriptor, then one flat folder.
 * @param top what the names begin with: `` in an archive, `/cnb/` in an image
 */
export function packagedEntries(
  top: string,
  files: LifecycleFiles,
  runtime: { readonly node: HostFile; readonly libraries: readonly RuntimeFile[] },
  version: string,
): readonly LayerEntry[] {
  const folder = `${top}lifecycle`
  return [
    descriptorEntry(`${top}lifecycle.toml`, version),
    { type: 'directory', name: folder, mode: 0o755, ...OWNER },
    ...sorted([
      ...lifecycleEntries(folder, files),
      ...runtimeEntries(folder, runtime.node, runtime.libraries),
    ]),
  ]
}

function runtimeEntries(
  folder: string,
  node: HostFile,
  libraries: readonly RuntimeFile[],
): readonly LayerEntry[] {
  return [
    ...libraries.map(({ name, bytes }) => file(`${folder}/${name}`, 0o755, bytes)),
    file(`${folder}/node`, 0o755, node),
  ]
}

function lifecycleEntries(folder: string, files: LifecycleFiles): readonly LayerEntry[] {
  return [
    file(`${folder}/launcher`, 0o755, onDisk(files.launcher)),
    file(`${folder}/lifecycle`, 0o755, onDisk(files.starter)),
    file(`${folder}/lifecycle.cjs`, 0o644, onDisk(files.bundle)),
    ...Object.entries(files.others ?? {}).map(([name, path]) =>
      file(`${folder}/${name}`, 0o644, onDisk(path)),
    ),
    ...PHASES.map(
      (name): LayerEntry => ({
        type: 'symlink',
        name: `${folder}/${name}`,
        linkname: 'lifecycle',
        mode: 0o777,
        ...OWNER,
      }),
    ),
  ]
}

function descriptorEntry(name: string, version: string): LayerEntry {
  const text = writeLifecycleDescriptor({ version, sbomFormats: SBOM_FORMATS, apis: LIFECYCLE_APIS })
  return file(name, 0o644, Buffer.from(text))
}

/** The files of a lifecycle, for its identity. */
export function lifecyclePaths(files: LifecycleFiles): readonly (readonly [name: string, path: string])[] {
  return [
    ['launcher', files.launcher],
    ['lifecycle', files.starter],
    ['lifecycle.cjs', files.bundle],
    ...Object.entries(files.others ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]
}

/** @throws SlipwayError `BUILDERS_LIFECYCLE_MISSING` where one of the files is not there. */
export function checkLifecycleFiles(files: LifecycleFiles): void {
  for (const path of [files.node, ...lifecyclePaths(files).map(([, path]) => path)]) onDisk(path)
}

function folders(): readonly LayerEntry[] {
  return ['/cnb', FOLDER].map((name) => ({ type: 'directory', name, mode: 0o755, ...OWNER }))
}

function sorted(entries: readonly LayerEntry[]): readonly LayerEntry[] {
  return [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function file(name: string, mode: number, content: Uint8Array | HostFile): LayerEntry {
  return { type: 'file', name, mode, content, ...OWNER }
}

function onDisk(host: string): HostFile {
  const stats = lstatSync(hostBytes(host), { throwIfNoEntry: false })
  if (stats?.isFile()) return { host, size: stats.size }
  const shown = hostBytes(host).toString('utf8')
  throw new SlipwayError(
    'BUILDERS_LIFECYCLE_MISSING',
    `${shown} is no file: the builder's lifecycle is not whole`,
    {
      subject: shown,
      hint: 'install Slipway again, or build the missing part',
    },
  )
}
