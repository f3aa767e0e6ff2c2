import { type ContainerPath, parentPath } from '../../../core/container-path.ts'
import type { Root } from '../../../core/root.ts'
import { listTree } from '../../../oci/tar/walk.ts'
import type { Slice } from '../../../spec/files/launch.ts'
import { nameOfFile } from '../../../spec/names.ts'
import { compileGlob } from './glob.ts'

/** The app directory and all below it; links are entries of their own. */
export interface AppTree {
  readonly appDir: ContainerPath
  readonly paths: readonly ContainerPath[]
  /** What stands in each directory that is not empty. */
  readonly children: ReadonlyMap<ContainerPath, readonly ContainerPath[]>
}

/** @throws SlipwayError `OCI_LAYER_MISSING` where there is no app directory */
export function readAppTree(root: Root, appDir: ContainerPath): AppTree {
  const paths: ContainerPath[] = []
  const children = new Map<ContainerPath, ContainerPath[]>()
  for (const path of listTree(root, appDir)) {
    paths.push(path)
    if (path === appDir) continue
    const parent = parentPath(path)
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [path])
    else siblings.push(path)
  }
  return { appDir, paths, children }
}

/**
 * Deals the app's files out to n+1 layers (cnb-spec §5.3): one for each slice with what its globs match and no earlier
 * slice took, directories with all that is below them, and one for the rest. The directories on the way to a file are
 * in each layer that needs them.
 * @throws SlipwayError `EXPORT_SLICE_PATTERN_INVALID`
 */
export function sliceApp(tree: AppTree, slices: readonly Slice[]): ContainerPath[][] {
  const taken = new Set<ContainerPath>()
  const layers = slices.map((slice) => takeSlice(tree, slice, taken))
  return [...layers, tree.paths.filter((path) => !taken.has(path))]
}

function takeSlice(tree: AppTree, slice: Slice, taken: Set<ContainerPath>): ContainerPath[] {
  const files = new Set<ContainerPath>()
  const take = (path: ContainerPath) => {
    if (taken.has(path)) return
    for (const child of tree.children.get(path) ?? []) take(child)
    files.add(path)
    taken.add(path)
  }
  for (const pattern of slice.paths) for (const path of matches(tree, pattern)) take(path)

  const parents = new Set<ContainerPath>()
  for (const file of files) {
    for (let path = file; path !== tree.appDir; ) {
      path = parentPath(path)
      if (!files.has(path)) parents.add(path)
    }
  }
  // Deepest first, so that what is below is decided already: a directory with nothing left in it counts as taken.
  for (const parent of [...parents].sort((a, b) => depth(b) - depth(a))) {
    if ((tree.children.get(parent) ?? []).every((child) => taken.has(child))) taken.add(parent)
  }
  return [...files, ...parents]
}

function matches({ appDir, paths }: AppTree, pattern: string): ContainerPath[] {
  const below = appDir === '/' ? '/' : `${appDir}/`
  // The spec allows absolute patterns inside the app directory; the reference matches relative ones alone (AMB-8).
  const prefix = nameOfFile(below)
  const glob = compileGlob(pattern.startsWith(prefix) ? pattern.slice(prefix.length) : pattern)
  return paths.filter((path) => path !== appDir && glob.test(nameOfFile(path.slice(below.length))))
}

function depth(path: ContainerPath): number {
  return path.split('/').length
}
