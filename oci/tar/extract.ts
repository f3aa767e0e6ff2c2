import { chmodSync, lchownSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { type ContainerPath, containerPath, isWithin, parentPath } from '../../core/container-path.ts'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes, type Root } from '../../core/root.ts'
import type { TarEntry } from './header.ts'
import {
  type Chunks,
  display,
  type Extracted,
  type FileWriter,
  type HostOwner,
  refused,
  unpack,
} from './unpack.ts'

export { applyLayer } from './apply.ts'
export type { Chunks, Extracted, HostOwner } from './unpack.ts'

export interface ExtractOptions {
  /** The only places that are written to; the directories above them are made where missing and otherwise left alone. */
  readonly within: readonly ContainerPath[]
  /** Who owns on this machine what is written. Default: whoever runs this. */
  readonly owner?: HostOwner
}

/**
 * Puts a cached layer's tar back: directories, files and links with their modes, not owned by whom it says. What is there already is
 * replaced, but a directory that exists keeps its mode. Nothing is written through a link: an entry below one is
 * refused, as a layer that we wrote never has it.
 * @throws SlipwayError `OCI_TAR_OUTSIDE` for a name outside of `within` or below a link, `OCI_TAR_UNSUPPORTED` for other
 * types of entries, `OCI_TAR_INVALID`, `OCI_TAR_TRUNCATED`.
 */
export async function extractLayer(chunks: Chunks, root: Root, options: ExtractOptions): Promise<Extracted> {
  const { within, owner } = options
  // The allowed directory itself may be behind a link (a mount, a symbolic /layers); nothing below it may. Where it leads
  // is settled before the archive can put a link of its own there.
  const places = new Map(within.map((place) => [place, root.resolve(place)]))
  /** Directories known to be real ones, with their host paths. */
  const directories = new Map<ContainerPath, string>()
  /** Set at the end: a mode without write permission must not hinder what goes into the directory. */
  const modes = new Map<string, number>()

  function hostOf(path: ContainerPath): string {
    const place = places.get(path)
    if (place !== undefined) return place
    const parent = directory(parentPath(path))
    return `${parent}/${path.slice(path.lastIndexOf('/') + 1)}`
  }

  function directory(path: ContainerPath, mode?: number): string {
    const known = directories.get(path)
    if (known !== undefined) return known
    const host = within.some((place) => isWithin(path, place)) ? hostOf(path) : root.resolve(path)
    const stats = lstatSync(hostBytes(host), { throwIfNoEntry: false })
    if (stats === undefined) {
      mkdirSync(hostBytes(host), { recursive: within.includes(path) })
      own(host)
      if (mode !== undefined) modes.set(host, mode)
    } else if (!stats.isDirectory()) {
      if (mode === undefined) throw refused(path, 'a part of its path is no directory')
      rmSync(hostBytes(host))
      mkdirSync(hostBytes(host))
      own(host)
      modes.set(host, mode)
    }
    directories.set(path, host)
    return host
  }

  function own(host: string): void {
    if (owner !== undefined) lchownSync(hostBytes(host), owner.uid, owner.gid)
  }

  function entry(found: TarEntry, file: FileWriter): void {
    const path = nameOf(found)
    if (!within.some((place) => isWithin(path, place))) {
      const above = within.some((place) => isWithin(place, path))
      if (found.type !== 'directory' || !above) throw refused(path, 'it is outside of the layer')
      return
    }
    if (found.type === 'directory') {
      directory(path, found.mode)
      return
    }
    if (found.type !== 'file' && found.type !== 'symlink') {
      throw new SlipwayError(
        'OCI_TAR_UNSUPPORTED',
        `a cached layer holds a ${found.type}: ${display(path)}`,
        {
          subject: display(path),
          hint: 'clear the cache',
          class: 'infrastructure',
        },
      )
    }
    const host = hostOf(path)
    if (directories.has(path)) throw refused(path, 'it is a directory and a file at once')
    replacing(host, () => {
      if (found.type === 'file') file.open(host, found.mode)
      else {
        symlinkSync(Buffer.from(found.linkname, 'latin1'), hostBytes(host))
        own(host)
      }
    })
  }

  const extracted = await unpack(chunks, entry, owner)
  for (const [host, mode] of modes) chmodSync(hostBytes(host), mode)
  return extracted
}

/** Makes a file or link where something else may stand; asking first would cost a call for every file. */
function replacing(host: string, make: () => void): void {
  try {
    make()
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    rmSync(hostBytes(host), { recursive: true, force: true })
    make()
  }
}

/**
 * Our layers and the Go lifecycle's have absolute names; what another program packed again (`layers/bp/l/`, `./layers`)
 * stands below the root too.
 * @throws SlipwayError `OCI_TAR_OUTSIDE` for a name with a way up or a NUL
 */
function nameOf({ name }: TarEntry): ContainerPath {
  if (name.includes('\0') || name.split('/').includes('..')) throw refused(name, 'its name is not clean')
  return containerPath(`/${name}`)
}
