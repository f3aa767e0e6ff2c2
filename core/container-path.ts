import { SlipwayError } from './error.ts'

declare const brand: unique symbol

/**
 * An absolute, clean path as a process inside the container sees it (`/layers`, `/workspace/app`). Names are
 * bytes held as latin1 (see oci/tar), so that any file name survives. Only a {@link Root} turns one into a path of this machine.
 */
export type ContainerPath = string & { readonly [brand]: 'ContainerPath' }

/**
 * Parses an absolute path and cleans it (`//`, `.`, `..` and a trailing slash go; `..` stops at `/`).
 * @throws SlipwayError `CORE_PATH_INVALID` when the text is not absolute or holds a NUL byte.
 */
export function containerPath(text: string): ContainerPath {
  if (!text.startsWith('/') || text.includes('\0')) {
    throw new SlipwayError('CORE_PATH_INVALID', `not an absolute container path: ${JSON.stringify(text)}`, {
      subject: text,
      class: 'usage',
      exitCode: 3,
    })
  }
  return `/${components(text).join('/')}` as ContainerPath
}

/** `base` with `parts` appended and cleaned; a part is always taken as relative to what stands before it, and `..` cannot leave `base`. */
export function joinPath(base: ContainerPath, ...parts: string[]): ContainerPath {
  const below = components(parts.join('/'))
  return (base === '/' ? `/${below.join('/')}` : [base, ...below].join('/')) as ContainerPath
}

/** The components of a clean path, outermost first: `/a/b` → `['a', 'b']`. */
export function components(path: string): string[] {
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') kept.pop()
    else kept.push(part)
  }
  return kept
}

/** The directory a path stands in; `/` for `/`. */
export function parentPath(path: ContainerPath): ContainerPath {
  return `/${components(path).slice(0, -1).join('/')}` as ContainerPath
}

/** All directories above a path, outermost first: `/a/b/c` → `/`, `/a`, `/a/b`. */
export function ancestors(path: ContainerPath): ContainerPath[] {
  const parts = components(path)
  return parts.map((_, depth) => `/${parts.slice(0, depth).join('/')}` as ContainerPath)
}

/** Whether `path` is `base` or stands below it. */
export function isWithin(path: ContainerPath, base: ContainerPath): boolean {
  return base === '/' || path === base || path.startsWith(`${base}/`)
}
