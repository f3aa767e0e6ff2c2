import type { Emit } from '../../core/event.ts'
import type { TarEntry } from '../../oci/tar/header.ts'
import { readTar } from '../../oci/tar/reader.ts'
import type { XzPool } from '../../sources/archive/xz.ts'
import { openDeb } from '../../sources/debian/deb.ts'
import type { FetchedPackage } from '../../sources/debian/fetch.ts'
import { checkScripts } from './scripts.ts'
import type { Spool, SpoolRange } from './spool.ts'
import { FileTree, type Node, type TreePath, treePath } from './tree.ts'

/** What a package brings: its files (their bytes are in the spool) and what it says of itself. */
export interface UnpackedPackage {
  readonly name: string
  /** The control file as it is. */
  readonly control: Uint8Array
  /** `md5  path` lines; empty where the package has none. */
  readonly md5sums: string
  readonly files: readonly (readonly [TreePath, Node])[]
}

/** Folders whose content no program reads in an image; licences (`copyright`) stay. */
const LEFT_OUT = [
  'usr/share/bug',
  'usr/share/doc-base',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/linda',
  'usr/share/man',
  'usr/share/menu',
]
const LOCALE = 'usr/share/locale/'
const DOC = 'usr/share/doc/'

/** Whether a file of a package goes into an image. */
export function isKept(path: TreePath): boolean {
  if (LEFT_OUT.some((folder) => path === folder || path.startsWith(`${folder}/`))) return false
  if (path.startsWith(DOC)) return /^usr\/share\/doc\/[^/]+(?:\/copyright)?$/.test(path)
  return !path.startsWith(LOCALE) || path === `${LOCALE}locale.alias`
}

/**
 * Unpacks packages into the spool, as many at once as the pool has threads, and checks that their scripts were reviewed.
 * @returns in the order of `packages`
 * @throws SlipwayError `BUILDERS_SCRIPT_UNKNOWN`, `BUILDERS_PATH_INVALID`, `SOURCE_…`, `OCI_TAR_…`
 */
export async function unpackPackages(
  packages: readonly FetchedPackage[],
  spool: Spool,
  pool: XzPool,
  {
    emit,
    task,
    signal,
  }: { readonly emit: Emit; readonly task: string; readonly signal?: AbortSignal | undefined },
): Promise<readonly UnpackedPackage[]> {
  const results: UnpackedPackage[] = new Array(packages.length)
  // The largest first: one of them alone at the end would leave a core idle.
  const order = packages.map((_, at) => at).sort((a, b) => sizeAt(packages, b) - sizeAt(packages, a))
  let done = 0
  const work = async (): Promise<void> => {
    for (let at = order.shift(); at !== undefined; at = order.shift()) {
      signal?.throwIfAborted()
      const item = packages[at] as FetchedPackage
      results[at] = await unpackPackage(item.record.name, item.path, spool, pool)
      emit({ type: 'task-progress', task, done: ++done, total: packages.length, unit: 'items' })
    }
  }
  const stopOthers = (error: unknown): never => {
    order.length = 0
    throw error
  }
  // All of them have to end before the spool may be closed.
  const ended = await Promise.allSettled(Array.from({ length: pool.size }, () => work().catch(stopOthers)))
  for (const end of ended) if (end.status === 'rejected') throw end.reason
  return results
}

function sizeAt(packages: readonly FetchedPackage[], at: number): number {
  return packages[at]?.record.size ?? 0
}

async function unpackPackage(
  name: string,
  path: string,
  spool: Spool,
  pool: XzPool,
): Promise<UnpackedPackage> {
  const deb = openDeb(path, pool)
  const control = await readControl(deb.control())
  checkScripts(name, control.keys())
  const files: (readonly [TreePath, Node])[] = []
  let open: { readonly range: SpoolRange; at: number } | undefined
  await readTar(deb.data(), {
    entry(entry) {
      const at = treePath(entry.name, name)
      if (at === '' || !isKept(at)) return
      const range = entry.type === 'file' ? spool.reserve(entry.size) : undefined
      if (range !== undefined) open = { range, at: 0 }
      const node = nodeOf(entry, name, range)
      if (node !== undefined) files.push([at, node])
    },
    data(bytes) {
      if (open === undefined) return
      spool.write(open.range, open.at, bytes)
      open.at += bytes.length
    },
    end() {
      open = undefined
    },
  })
  return {
    name,
    control: control.get('control') ?? new Uint8Array(),
    md5sums: Buffer.from(control.get('md5sums') ?? []).toString('latin1'),
    files,
  }
}

/** The small files of a control archive, by name. */
async function readControl(chunks: AsyncIterable<Uint8Array>): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  let name: string | undefined
  let parts: Uint8Array[] = []
  await readTar(chunks, {
    entry(entry) {
      name = entry.type === 'file' ? entry.name.replace(/^\.\//, '') : undefined
      parts = []
    },
    data: (bytes) => void parts.push(Buffer.from(bytes)),
    end() {
      if (name !== undefined) files.set(name, Buffer.concat(parts))
    },
  })
  return files
}

/**
 * Set-user-ID and set-group-ID are dropped: nothing in an image is meant to become somebody else. Owners of a package are
 * Debian's fixed numbers, which base-passwd's files name.
 */
function nodeOf(entry: TarEntry, subject: string, range: SpoolRange | undefined): Node | undefined {
  const attributes = { mode: entry.mode & 0o1777, uid: entry.uid, gid: entry.gid }
  switch (entry.type) {
    case 'directory':
      return { type: 'directory', ...attributes }
    case 'file':
      return range === undefined ? undefined : { type: 'file', content: range, ...attributes }
    case 'symlink':
      return { type: 'symlink', target: entry.linkname, ...attributes, mode: 0o777 }
    case 'hardlink':
      return { type: 'hardlink', target: treePath(entry.linkname, subject), ...attributes }
    default:
      return undefined
  }
}

/**
 * The tree of some packages: their files, and `/var/lib/dpkg/status.d` so that scanners know what is in the image.
 * @throws SlipwayError `BUILDERS_FILE_CONFLICT`
 */
export function treeOf(packages: readonly UnpackedPackage[]): FileTree {
  const tree = new FileTree()
  for (const item of packages) for (const [path, node] of item.files) tree.add(path, node, item.name)
  for (const { name, control, md5sums } of packages) {
    const status = `var/lib/dpkg/status.d/${name}`
    tree.set(status, file(control))
    const kept = md5sums.split('\n').filter((line) => isKept(line.slice(34).trim()) && line.length > 34)
    if (kept.length > 0) tree.set(`${status}.md5sums`, file(Buffer.from(`${kept.join('\n')}\n`, 'latin1')))
  }
  return tree
}

function file(content: Uint8Array): Node {
  return { type: 'file', content, mode: 0o644, uid: 0, gid: 0 }
}
