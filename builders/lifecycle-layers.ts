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

const FOLDER = '/cnb/lifecycle'
const OWNER = { uid: 0, gid: 0 }

/** The phases that a builder has: links to the starter, which looks at the name it was called by. */
const PHASES = ['analyzer', 'builder', 'creator', 'detector', 'exporter', 'rebaser', 'restorer']

const SBOM_FORMATS = ['application/vnd.cyclonedx+json', 'application/spdx+json', 'application/vnd.syft+json']

/** Node and the libraries it runs with: large, and changed only by a new Node or new packages. */
export function runtimeLayer(
  node: { readonly host: string; readonly size: number },
  libraries: readonly RuntimeFile[],
): LayerSource {
  const files: readonly LayerEntry[] = [
    ...libraries.map(({ name, bytes }) => program(name, bytes)),
    program('node', node),
  ]
  return entriesLayer([...folders(), ...sorted(files)])
}

/** The lifecycle itself: programs, the bundle, the descriptor (lifecycle-behaviour §5.1). */
export function lifecycleLayer(files: LifecycleFiles, version: string): LayerSource {
  const descriptor = writeLifecycleDescriptor({ version, sbomFormats: SBOM_FORMATS, apis: LIFECYCLE_APIS })
  const entries: readonly LayerEntry[] = [
    program('launcher', onDisk(files.launcher)),
    program('lifecycle', onDisk(files.starter)),
    text('lifecycle.cjs', onDisk(files.bundle)),
    ...Object.entries(files.others ?? {}).map(([name, path]) => text(name, onDisk(path))),
    ...PHASES.map(
      (name): LayerEntry => ({
        type: 'symlink',
        name: `${FOLDER}/${name}`,
        linkname: 'lifecycle',
        mode: 0o777,
        ...OWNER,
      }),
    ),
  ]
  return entriesLayer([
    ...folders(),
    ...sorted(entries),
    { type: 'file', name: '/cnb/lifecycle.toml', mode: 0o644, content: Buffer.from(descriptor), ...OWNER },
  ])
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

type Content = Uint8Array | { readonly host: string; readonly size: number }

function program(name: string, content: Content): LayerEntry {
  return { type: 'file', name: `${FOLDER}/${name}`, mode: 0o755, content, ...OWNER }
}

function text(name: string, content: Content): LayerEntry {
  return { type: 'file', name: `${FOLDER}/${name}`, mode: 0o644, content, ...OWNER }
}

function onDisk(host: string): { readonly host: string; readonly size: number } {
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
