import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../core/error.ts'
import { hostBytes } from '../core/root.ts'
import { digestOf } from '../oci/digest.ts'
import type { LayerSource } from '../oci/layer-source.ts'
import { entriesLayer, type LayerEntry } from '../oci/tar/walk.ts'
import { type BuildpackDescriptor, parseBuildpackDescriptor } from '../spec/files/buildpack.ts'
import { escapeId } from '../spec/names.ts'
import type { FileDigests } from './file-digests.ts'

/** A buildpack as it stands in a folder of this machine (cnb-spec §9.2). */
export interface BuildpackFolder {
  /** A latin1 path. */
  readonly directory: string
  readonly descriptor: BuildpackDescriptor
}

/**
 * Reads a folder's buildpack.toml and checks that what the descriptor promises is there.
 * @throws SlipwayError `BUILDERS_BUILDPACK_INVALID`, `SPEC_…`
 */
export function readBuildpackFolder(directory: string): BuildpackFolder {
  const path = join(directory, 'buildpack.toml')
  let text: string
  try {
    text = readFileSync(hostBytes(path), 'utf8')
  } catch (error) {
    throw invalid(directory, 'it has no readable buildpack.toml', error)
  }
  const descriptor = parseBuildpackDescriptor(text, { file: hostBytes(path).toString() })
  for (const program of ['bin/detect', 'bin/build']) {
    const isThere = lstatSync(hostBytes(join(directory, program)), { throwIfNoEntry: false }) !== undefined
    if (descriptor.order.length === 0 && !isThere) throw invalid(directory, `it has no ${program}`)
    if (descriptor.order.length > 0 && isThere) throw invalid(directory, `a composite has no ${program}`)
  }
  return { directory, descriptor }
}

interface Item {
  /** Below the folder, without a leading slash. */
  readonly path: string
  readonly host: string
  readonly type: 'directory' | 'file' | 'symlink'
  readonly mode: number
  readonly size: number
  readonly target: string
}

/** The identity of everything in the folder that becomes part of its layer. */
export function buildpackDigest(folder: BuildpackFolder, digests: FileDigests): string {
  const items = listFolder(folder.directory).map(({ path, host, type, mode, target }) =>
    JSON.stringify([path, type, mode, target, type === 'file' ? digests.digestOf(host) : '']),
  )
  return digestOf([layerRoot(folder), ...items].join('\n'))
}

/**
 * The layer of a buildpack: `/cnb/buildpacks/<id>/<version>`, root's, 0755 for directories and programs, 0644 for the rest
 * (cnb-spec DI-22).
 */
export function buildpackLayer(folder: BuildpackFolder): LayerSource {
  return entriesLayer(() => entries(folder))
}

function* entries(folder: BuildpackFolder): Generator<LayerEntry, void> {
  const root = layerRoot(folder)
  const owner = { uid: 0, gid: 0 }
  yield { type: 'directory', name: root.slice(0, root.lastIndexOf('/')), mode: 0o755, ...owner }
  yield { type: 'directory', name: root, mode: 0o755, ...owner }
  for (const { path, host, type, mode, size, target } of listFolder(folder.directory)) {
    const name = `${root}/${path}`
    if (type === 'directory') yield { type, name, mode, ...owner }
    else if (type === 'symlink') yield { type, name, linkname: target, mode, ...owner }
    else yield { type, name, mode, content: { host, size }, ...owner }
  }
}

function layerRoot({ descriptor }: BuildpackFolder): string {
  const { id, version } = descriptor.buildpack
  return `/cnb/buildpacks/${escapeId(id)}/${version}`
}

/** Everything below a folder, parents first, siblings by the bytes of their names. */
function listFolder(directory: string, prefix = ''): readonly Item[] {
  return readdirSync(hostBytes(directory), 'latin1')
    .sort()
    .flatMap((name): readonly Item[] => {
      const host = join(directory, name)
      const path = `${prefix}${name}`
      const stats = lstatSync(hostBytes(host))
      const base = { path, host, size: stats.size, target: '' }
      if (stats.isDirectory()) {
        return [{ ...base, type: 'directory', mode: 0o755 }, ...listFolder(host, `${path}/`)]
      }
      if (stats.isSymbolicLink()) {
        return [{ ...base, type: 'symlink', mode: 0o777, target: readlinkSync(hostBytes(host), 'latin1') }]
      }
      if (!stats.isFile()) throw invalid(host, 'it is neither a file, a directory nor a link')
      return [{ ...base, type: 'file', mode: (stats.mode & 0o111) === 0 ? 0o644 : 0o755 }]
    })
}

function invalid(subject: string, why: string, cause?: unknown): SlipwayError {
  const shown = hostBytes(subject).toString('utf8')
  return new SlipwayError('BUILDERS_BUILDPACK_INVALID', `${shown} cannot become part of a builder: ${why}`, {
    subject: shown,
    class: 'usage',
    ...(cause === undefined ? {} : { cause }),
  })
}
