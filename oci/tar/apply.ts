import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  type Stats,
  symlinkSync,
} from 'node:fs'
import { type ContainerPath, joinPath, parentPath } from '../../core/container-path.ts'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes, mountedRoot } from '../../core/root.ts'
import type { TarEntry } from './header.ts'
import { type Chunks, display, type Extracted, type FileWriter, refused, unpack } from './unpack.ts'

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
const LEADS_OUT = 'it leads out of the image'

/**
 * Unpacks an image's layer over those below it (image-spec, layer.md: whiteouts, opaque directories, hard links) as an
 * ordinary user can: no owners, no device nodes, no fifos. Modes are kept, except that directories stay usable for us
 * (u+rwx) and files lose setuid and setgid, which would mean our user, not the image's.
 *
 * Names are resolved as chroot would, so `lib/x` lands in `usr/lib` where `lib` is a link, and nothing lands outside of
 * `directory` (a path of this machine, as node:fs takes it, which must exist).
 * @throws SlipwayError `OCI_TAR_OUTSIDE`, `OCI_TAR_LINK_MISSING`, `OCI_TAR_INVALID`, `OCI_TAR_TRUNCATED`.
 */
export async function applyLayer(chunks: Chunks, directory: string): Promise<Extracted> {
  const root = mountedRoot(Buffer.from(directory).toString('latin1'), [])
  /** Host paths of directories by name; forgotten whenever a directory or link goes away. */
  const resolved = new Map<ContainerPath, string>()
  /** Host paths of what this layer made: its own whiteouts mean the layers below only. */
  const made = new Set<string>()

  function directoryOf(path: ContainerPath): string {
    const known = resolved.get(path)
    if (known !== undefined) return known
    const host = root.resolve(path)
    if (!isDirectory(host)) {
      if (path === '/') throw refused(path, 'there is no directory to unpack into')
      directoryOf(parentPath(path))
      // The parents are directories now, so that this is the real place.
      const place = root.resolve(path)
      remove(place)
      // What a link on the way points to may be missing as well.
      mkdirSync(hostBytes(place), { recursive: true })
      made.add(place)
      resolved.set(path, place)
      return place
    }
    resolved.set(path, host)
    return host
  }

  function placeOf(path: ContainerPath): string {
    const parent = directoryOf(parentPath(path))
    return `${parent === '/' ? '' : parent}/${path.slice(path.lastIndexOf('/') + 1)}`
  }

  function remove(host: string): void {
    const stats = stateOf(host)
    if (stats === undefined) return
    if (stats.isDirectory() || stats.isSymbolicLink()) resolved.clear()
    removeTree(host, stats)
  }

  function whiteout(path: ContainerPath, name: string): void {
    const parent = parentPath(path)
    if (!isDirectory(root.resolve(parent))) return
    const host = directoryOf(parent)
    if (name === OPAQUE) clear(host)
    // Other names of this kind are a storage driver's own affairs.
    if (name.startsWith(`${WHITEOUT}${WHITEOUT}`)) return
    const hidden = name.slice(WHITEOUT.length)
    if (hidden === '' || hidden === '.' || hidden === '..') throw refused(path, LEADS_OUT)
    hide(`${host}/${hidden}`)
  }

  /** Removes what a lower layer left, not what this one made. */
  function hide(host: string): void {
    if (!made.has(host)) remove(host)
    else if (isDirectory(host)) clear(host)
  }

  function clear(host: string): void {
    for (const name of readdirSync(hostBytes(host), 'latin1')) hide(`${host}/${name}`)
  }

  function entry(found: TarEntry, file: FileWriter): void {
    const path = nameOf(found)
    if (path === '/') return
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (name.startsWith(WHITEOUT)) whiteout(path, name)
    else place(path, found, file)
  }

  function place(path: ContainerPath, found: TarEntry, file: FileWriter): void {
    switch (found.type) {
      case 'directory':
        makeDirectory(placeOf(path), found.mode)
        break
      case 'file':
        make(path, (host) => file.open(host, found.mode & 0o1777))
        break
      case 'symlink':
        make(path, (host) => symlinkSync(Buffer.from(found.linkname, 'latin1'), hostBytes(host)))
        break
      case 'hardlink':
        hardLink(path, found)
        break
      default:
        // Device nodes need privileges, fifos and vendors' own entries have no use at build time.
        break
    }
  }

  function make(path: ContainerPath, create: (host: string) => void): void {
    const host = placeOf(path)
    remove(host)
    create(host)
    made.add(host)
  }

  function makeDirectory(host: string, mode: number): void {
    if (!isDirectory(host)) {
      remove(host)
      mkdirSync(hostBytes(host))
    }
    chmodSync(hostBytes(host), mode | 0o700)
    made.add(host)
  }

  function hardLink(path: ContainerPath, found: TarEntry & { readonly linkname: string }): void {
    const target = cleanName(found.linkname, found.name)
    const from = target === '/' ? undefined : placeIfThere(target)
    const stats = from === undefined ? undefined : stateOf(from)
    if (from === undefined || stats === undefined || stats.isDirectory()) {
      throw new SlipwayError(
        'OCI_TAR_LINK_MISSING',
        `${display(path)} is a hard link to ${display(target)}, which is not there`,
        {
          subject: display(path),
          class: 'infrastructure',
        },
      )
    }
    const place = placeOf(path)
    if (place === from) return
    make(path, (host) => linkOrCopy(from, host, stats))
  }

  function placeIfThere(path: ContainerPath): string | undefined {
    const parent = root.resolve(parentPath(path))
    return isDirectory(parent) ? `${parent}/${path.slice(path.lastIndexOf('/') + 1)}` : undefined
  }

  return unpack(chunks, entry)
}

function linkOrCopy(from: string, to: string, stats: Stats): void {
  try {
    linkSync(hostBytes(from), hostBytes(to))
  } catch (error) {
    // Too many links, or a kernel that lets only owners link.
    if (!['EMLINK', 'EPERM', 'EXDEV'].includes(systemCode(error) ?? '') || !stats.isFile()) throw error
    copyFileSync(hostBytes(from), hostBytes(to), constants.COPYFILE_EXCL)
    chmodSync(hostBytes(to), stats.mode & 0o1777)
  }
}

/** Layers' names come as `usr/bin`, `./usr/bin` or `/usr/bin`. */
function nameOf(entry: TarEntry): ContainerPath {
  return cleanName(entry.name, entry.name)
}

function cleanName(text: string, subject: string): ContainerPath {
  if (text.split('/').includes('..')) throw refused(subject, LEADS_OUT)
  return joinPath('/' as ContainerPath, text)
}

function stateOf(host: string): Stats | undefined {
  return lstatSync(hostBytes(host), { throwIfNoEntry: false })
}

function isDirectory(host: string): boolean {
  return stateOf(host)?.isDirectory() ?? false
}

/** Directories that a layer gave no permissions stay removable, as everything in them is ours. */
function removeTree(host: string, stats: Stats): void {
  rmSync(hostBytes(host), { recursive: stats.isDirectory(), force: true })
}
