/** The files that a launcher sees, as data: paths and contents are bytes held as latin1 strings. */

export type LaunchFile =
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly content: string; readonly executable: boolean }
  | { readonly kind: 'link'; readonly target: string }

/** By absolute, clean path. A directory is listed by what stands below it and needs an entry of its own. */
export type LaunchFiles = ReadonlyMap<string, LaunchFile>

export interface LaunchEntry {
  readonly name: string
  readonly path: string
  /** A link to a directory is none. */
  readonly isDirectory: boolean
}

/** `child` in `directory`, cleaned; an absolute child stands for itself. */
export function within(directory: string, child: string): string {
  const kept: string[] = []
  for (const part of (child.startsWith('/') ? child : `${directory}/${child}`).split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') kept.pop()
    else kept.push(part)
  }
  return `/${kept.join('/')}`
}

const MOST_LINKS = 40

/** What stands at a path, links followed; undefined where it is missing. */
export function fileAt(files: LaunchFiles, path: string): Exclude<LaunchFile, { kind: 'link' }> | undefined {
  let at = path
  for (let i = 0; i < MOST_LINKS; i++) {
    const file = files.get(at)
    if (file?.kind !== 'link') return file
    at = within(within(at, '..'), file.target)
  }
  return undefined
}

/** The entries of a directory by the bytes of their names; none where there is no such directory. */
export function entriesOf(files: LaunchFiles, directory: string): readonly LaunchEntry[] {
  const entries: LaunchEntry[] = []
  for (const [path, file] of files) {
    const name = path.slice(directory.length + 1)
    if (path.startsWith(`${directory}/`) && name !== '' && !name.includes('/')) {
      entries.push({ name, path, isDirectory: file.kind === 'directory' })
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}
