import {
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { isUnfinished, writeFileAtomically } from './atomic-file.ts'
import { type ContainerPath, components, containerPath, joinPath, parentPath } from './container-path.ts'
import { SlipwayError, systemCode } from './error.ts'

/**
 * Where a phase's container paths are on this machine. Inside a container that is `/`; when the command drives a build
 * from outside it is a directory with others mounted over it. A path is walked component by component the way chroot
 * would: an absolute link starts again at the container's root, and nothing leads out of it.
 *
 * The walk is safe against what a build left behind, not against code that still runs: a phase reads only after the
 * sandbox has ended every process of the build.
 */
export interface Root {
  /**
   * The host path of `path`. `last: 'keep'` leaves a link in the last component unfollowed (default `'follow'`).
   * Missing components are taken as they are, so that a file about to be made has a path too.
   * The result is a latin1-named path when given to node:fs as `hostBytes(path)`.
   * @throws SlipwayError `CORE_LINK_LOOP` after 40 links.
   */
  resolve(path: ContainerPath, last?: 'follow' | 'keep'): string
  /** The container path that `path` leads to once every link is followed: `resolve` before it becomes a host path. */
  locate(path: ContainerPath): ContainerPath
  /** The bytes of a file, or undefined where there is none (also when a parent is missing or not a directory). */
  read(path: ContainerPath): Buffer | undefined
  /** `read` as UTF-8. */
  readText(path: ContainerPath): string | undefined
  /** The link's or file's own state, or undefined where there is none. */
  lstat(path: ContainerPath): BigIntStats | undefined
  /** The state behind links, or undefined where there is none. */
  stat(path: ContainerPath): BigIntStats | undefined
  /** The names in a directory sorted by bytes; empty where there is none. */
  list(path: ContainerPath): Dirent[]
  /** Makes a directory and its parents, 0755 less the umask. */
  mkdir(path: ContainerPath): void
  /** Writes a file in one step (temporary file and rename), its parents included. */
  write(path: ContainerPath, data: string | Uint8Array, mode?: number): void
  /** Writes into what is there, as it is: no other name is needed beside it, and a reader may see a part. */
  overwrite(path: ContainerPath, data: string): void
  /** Removes what killed processes left of `write`s to this very file. Nobody else may be writing it. */
  removeUnfinished(path: ContainerPath): void
  rename(from: ContainerPath, to: ContainerPath): void
  /** Removes a file or a tree; does nothing where there is none. A link is removed, never what it points to. */
  remove(path: ContainerPath): void
}

export interface Mount {
  readonly path: ContainerPath
  /** Absolute path on this machine. */
  readonly host: string
}

/** A name held as latin1 bytes, as node:fs wants it: Buffers carry any byte, strings would be re-encoded as UTF-8. */
export function hostBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

const MAX_LINKS = 40

/** The root of this process itself: container paths are its own paths. */
export function processRoot(): Root {
  return mountedRoot('/', [])
}

/**
 * A root made of a directory and of directories mounted over it, as the sandbox shows them to a build. Later and
 * deeper mounts win.
 */
export function mountedRoot(host: string, mounts: readonly Mount[]): Root {
  const table = [...mounts].sort((a, b) => b.path.length - a.path.length)

  function hostOf(path: ContainerPath): string {
    for (const mount of table) {
      if (path === mount.path) return mount.host
      if (path.startsWith(mount.path === '/' ? '/' : `${mount.path}/`))
        return mount.host + path.slice(mount.path.length)
    }
    return host === '/' ? path : host + (path === '/' ? '' : path)
  }

  function resolveContainer(path: ContainerPath, last: 'follow' | 'keep'): ContainerPath {
    let pending = components(path)
    let at = '/' as ContainerPath
    let links = 0
    while (pending.length > 0) {
      const [name, ...rest] = pending as [string, ...string[]]
      if (name === '..') {
        at = containerPath(`${at}/..`)
        pending = rest
        continue
      }
      const next = joinPath(at, name)
      const target = rest.length === 0 && last === 'keep' ? undefined : readLink(hostOf(next))
      if (target === undefined) {
        at = next
        pending = rest
        continue
      }
      if (++links > MAX_LINKS) {
        throw new SlipwayError('CORE_LINK_LOOP', `too many links on the way to ${path}`, {
          subject: path,
          class: 'buildpack',
        })
      }
      // `..` after a link means the parent of where the link led, so the target's parts are walked, not joined as text.
      pending = [...target.split('/').filter((part) => part !== '' && part !== '.'), ...rest]
      if (target.startsWith('/')) at = '/' as ContainerPath
    }
    return at
  }

  const resolve = (path: ContainerPath, last: 'follow' | 'keep' = 'follow'): string =>
    hostOf(resolveContainer(path, last))

  const root: Root = {
    resolve,
    locate: (path) => resolveContainer(path, 'follow'),
    read: (path) => orMissing(() => readFileSync(hostBytes(resolve(path)))),
    readText: (path) => root.read(path)?.toString('utf8'),
    lstat: (path) => orMissing(() => lstatSync(hostBytes(resolve(path, 'keep')), { bigint: true })),
    stat: (path) => orMissing(() => statSync(hostBytes(resolve(path)), { bigint: true })),
    list: (path) => orMissing(() => listSorted(resolve(path))) ?? [],
    mkdir: (path) => void mkdirSync(hostBytes(resolve(path)), { recursive: true }),
    write: (path, data, mode) => writeFileAtomically(resolve(path), data, mode === undefined ? {} : { mode }),
    overwrite: (path, data) => {
      const fd = openSync(hostBytes(resolve(path)), constants.O_WRONLY | constants.O_TRUNC)
      try {
        writeFileSync(fd, data)
      } finally {
        closeSync(fd)
      }
    },
    removeUnfinished: (path) => {
      const file = root.locate(path)
      const directory = parentPath(file)
      const name = file.slice(file.lastIndexOf('/') + 1)
      for (const found of root.list(directory)) {
        if (isUnfinished(found.name, name)) root.remove(joinPath(directory, found.name))
      }
    },
    rename: (from, to) => renameSync(hostBytes(resolve(from, 'keep')), hostBytes(resolve(to, 'keep'))),
    remove: (path) => rmSync(hostBytes(resolve(path, 'keep')), { recursive: true, force: true }),
  }
  return root
}

function readLink(host: string): string | undefined {
  try {
    return readlinkSync(hostBytes(host), 'latin1')
  } catch {
    return undefined
  }
}

/** Entries of a directory in the byte order of their names: Go's order, whatever the locale. */
function listSorted(host: string): Dirent[] {
  const entries = readdirSync(hostBytes(host), {
    withFileTypes: true,
    encoding: 'latin1' as 'utf8',
  }) as Dirent[]
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

const MISSING = new Set(['ENOENT', 'ENOTDIR'])

function orMissing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (MISSING.has(systemCode(error) ?? '')) return undefined
    throw error
  }
}
