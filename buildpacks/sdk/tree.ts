/** Directory trees with names of any bytes. */
import {
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'

/** A path held as latin1, as node:fs wants it. (core/root.ts has the same; importing it here would load Node's crypto in bin/detect.) */
export function hostBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** An entry below a root. Paths are relative, bytes held as latin1. */
export interface TreeEntry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
}

/** Text as a path of bytes. */
export function bytePath(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/**
 * The entries below a directory in byte order, a directory before what is in it. `enter` says whether to look into a
 * directory; where it says no the directory itself is left out too.
 */
export function* walkTree(
  root: string,
  enter: (path: string) => boolean = () => true,
  below = '',
): Generator<TreeEntry> {
  const names = readdirSync(hostBytes(below === '' ? root : `${root}/${below}`), {
    withFileTypes: true,
    encoding: 'latin1' as 'utf8',
  }).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of names) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) {
      if (!enter(path)) continue
      yield { path, kind: 'directory' }
      yield* walkTree(root, enter, path)
    } else yield { path, kind: entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'other' }
  }
}

/** Copies a tree with its modes, sharing blocks where the file system can. `keep` chooses; a directory left out goes with all in it. */
export function copyTree(from: string, to: string, keep: (entry: TreeEntry) => boolean): void {
  mkdirSync(hostBytes(to), { recursive: true })
  for (const entry of walkTree(from, (path) => keep({ path, kind: 'directory' }))) {
    const [source, target] = [hostBytes(`${from}/${entry.path}`), hostBytes(`${to}/${entry.path}`)]
    if (entry.kind === 'directory')
      mkdirSync(target, { recursive: true, mode: lstatSync(source).mode & 0o7777 })
    else if (!keep(entry)) continue
    else if (entry.kind === 'file') copyFileSync(source, target, constants.COPYFILE_FICLONE)
    else if (entry.kind === 'link') symlinkSync(readlinkSync(source, { encoding: 'buffer' }), target)
  }
}
