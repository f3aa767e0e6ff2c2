import { SlipwayError } from '../../core/error.ts'
import type { SpoolRange } from './spool.ts'

/** Bytes of a file: at hand, or in the spool. */
export type Content = Uint8Array | SpoolRange

interface Attributes {
  /** Permission bits and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * What stands at a path. A hard link names the path of the file it shares its bytes with, and its attributes: some who
 * unpack a layer set them again through the link.
 */
export type Node = Attributes &
  (
    | { readonly type: 'directory' }
    | { readonly type: 'file'; readonly content: Content }
    | { readonly type: 'symlink' | 'hardlink'; readonly target: string }
  )

/** A path as the tree holds it: no slash at either end, no `.` or `..`, bytes as latin1. `''` is the root, which is not held. */
export type TreePath = string

/** Directories that are links into `usr` since Debian merged them (what older packages put there goes to `usr`). */
export const MERGED = ['bin', 'lib', 'lib32', 'lib64', 'libx32', 'sbin']

/**
 * The path of a package's file: `./bin/sh` → `usr/bin/sh`.
 * @throws SlipwayError `BUILDERS_PATH_INVALID` for names that no package of Debian has.
 */
export function treePath(name: string, subject: string): TreePath {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..') || name.includes('\0')) {
    throw new SlipwayError('BUILDERS_PATH_INVALID', `a package holds the path ${JSON.stringify(name)}`, {
      subject,
      class: 'infrastructure',
    })
  }
  if (parts.length > 1 && MERGED.includes(parts[0] ?? '')) parts.unshift('usr')
  return parts.join('/')
}

/** Files of an image before they are written: later packages add to the directories of earlier ones. */
export class FileTree {
  private readonly nodes = new Map<TreePath, Node>()
  private readonly owners = new Map<TreePath, string>()

  /**
   * Adds what a package has.
   * @throws SlipwayError `BUILDERS_FILE_CONFLICT` where another package has something else at that path.
   */
  add(path: TreePath, node: Node, owner: string): void {
    const there = this.nodes.get(path)
    if (there !== undefined) {
      if (there.type === 'directory' && node.type === 'directory') return
      if (there.type === 'symlink' && node.type === 'symlink' && there.target === node.target) return
      throw new SlipwayError(
        'BUILDERS_FILE_CONFLICT',
        `/${path} is in ${this.owners.get(path) ?? 'the fix-ups'} and in ${owner}`,
        { subject: path, class: 'infrastructure', hint: 'exclude one of the two packages' },
      )
    }
    this.nodes.set(path, node)
    this.owners.set(path, owner)
  }

  /** Puts a node in place of whatever stands there. */
  set(path: TreePath, node: Node): void {
    this.nodes.set(path, node)
  }

  get(path: TreePath): Node | undefined {
    return this.nodes.get(path)
  }

  /** Whether a path leads to something, links followed as in the image. */
  exists(path: TreePath): boolean {
    return this.resolve(path) !== undefined
  }

  /** The path that `path` leads to when links are followed, or undefined where there is none. */
  resolve(path: TreePath, links = 0): TreePath | undefined {
    let at: TreePath = ''
    const parts = path.split('/').filter((part) => part !== '' && part !== '.')
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string
      if (part === '..') {
        at = parentOf(at)
        continue
      }
      const next = at === '' ? part : `${at}/${part}`
      const node = this.nodes.get(next)
      if (node?.type !== 'symlink') {
        at = next
        continue
      }
      if (links >= 40) return undefined
      const start = node.target.startsWith('/') ? '' : at
      return this.resolve([start, node.target, ...parts.slice(index + 1)].join('/'), links + 1)
    }
    return at === '' || this.nodes.has(at) ? at : undefined
  }

  /** Paths below a directory (its own name not among them), in the order of their bytes. */
  below(path: TreePath): readonly TreePath[] {
    return [...this.nodes.keys()].filter((name) => name.startsWith(`${path}/`)).sort(byBytes)
  }

  /**
   * All paths with what stands there, parents before children and siblings by bytes, missing parents added. A hard
   * link comes after the file it names: the first name of a file carries its bytes, whichever the package gave them to.
   * @throws SlipwayError `BUILDERS_PATH_INVALID` where something stands below what is no directory.
   */
  entries(): readonly (readonly [TreePath, Node])[] {
    for (const path of [...this.nodes.keys()]) this.ensureParents(path)
    const paths = [...this.nodes.keys()].sort(byPath)
    const firstName = new Map<TreePath, TreePath>()
    return paths.map((path) => {
      const node = this.nodes.get(path) as Node
      const origin = node.type === 'hardlink' ? this.origin(node.target) : path
      const file = this.nodes.get(origin) as Node
      if (file.type !== 'file') return [path, node] as const
      const first = firstName.get(origin)
      if (first !== undefined) {
        const { mode, uid, gid } = file
        return [path, { type: 'hardlink', target: first, mode, uid, gid }] as const
      }
      firstName.set(origin, path)
      return [path, file] as const
    })
  }

  /** The file that a chain of hard links names. */
  private origin(target: TreePath): TreePath {
    for (let at = target, hops = 0; hops < 40; hops++) {
      const node = this.nodes.get(at)
      if (node?.type === 'file') return at
      if (node?.type !== 'hardlink') break
      at = node.target
    }
    throw new SlipwayError(
      'BUILDERS_PATH_INVALID',
      `a hard link names ${JSON.stringify(target)}, which is no file`,
      {
        subject: target,
        class: 'infrastructure',
      },
    )
  }

  private ensureParents(path: TreePath): void {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      const node = this.nodes.get(at)
      if (node?.type === 'directory') return
      if (node !== undefined) {
        throw new SlipwayError(
          'BUILDERS_PATH_INVALID',
          `/${path} stands below /${at}, which is a ${node.type}`,
          {
            subject: path,
            class: 'infrastructure',
          },
        )
      }
      this.nodes.set(at, { type: 'directory', mode: 0o755, uid: 0, gid: 0 })
    }
  }
}

export function parentOf(path: TreePath): TreePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** By components, so that a directory's contents follow it at once whatever else begins with its name. */
function byPath(a: TreePath, b: TreePath): number {
  return byBytes(a.replaceAll('/', '\0'), b.replaceAll('/', '\0'))
}
