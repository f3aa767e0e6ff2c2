import { type Dirent, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { ancestors, type ContainerPath, isWithin, parentPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes, type Root } from '../../core/root.ts'
import type { LayerSource } from '../layer-source.ts'
import { BLOCKS_VALID, displayPath, type LayerEntry, tarBlocks, unreadable } from './writer.ts'

export type { FileContent, LayerEntry } from './writer.ts'

/**
 * Who owns a layer's entries: always the builder image's user, never who happens to run the phase. The directories
 * above a layer are written as the builder image has them, whatever they are on this machine: below one of `owned`
 * (the layers and the app directory) the user's, elsewhere 0:0; mode 0755.
 */
export interface LayerOwner {
  readonly uid: number
  readonly gid: number
  readonly owned: readonly ContainerPath[]
}

/**
 * A layer of one directory and all below it (cnb-spec §5.2): the directories above it, `/` left out as the Go
 * lifecycle does, then the tree in the order of Go's filepath.Walk. Contents keep their mode bits, hard links become
 * files of their own, sockets are left out.
 * @throws SlipwayError while it is read: `OCI_FILE_CHANGED`, `OCI_FILE_UNREADABLE`, `OCI_LAYER_MISSING`.
 */
export function directoryLayer(root: Root, path: ContainerPath, owner: LayerOwner): LayerSource {
  return entriesLayer(function* () {
    yield* parents(path, owner)
    for (const found of walk(root, path)) yield* entryOf(found, owner)
  })
}

/**
 * A layer of chosen paths in `base` (an app slice, cnb-spec §5.3), sorted as plain strings, which is not the order of a
 * walk. Each path's directory up to `base` must be among them. Without any path the tar is empty: no parents.
 * @param chosen the paths, or what finds them when the layer is read
 */
export function pathsLayer(
  root: Root,
  base: ContainerPath,
  chosen: readonly ContainerPath[] | (() => readonly ContainerPath[]),
  owner: LayerOwner,
): LayerSource {
  return entriesLayer(function* () {
    const paths = typeof chosen === 'function' ? chosen() : chosen
    if (paths.length === 0) return
    yield* parents(base, owner)
    const top = root.resolve(base, 'keep')
    const directories = new Set<string>()
    for (const path of [...new Set(paths)].sort()) {
      // Only below a directory that was just seen to be one: no link on the way can lead out of the root.
      if (path !== base && !(isWithin(path, base) && directories.has(parentPath(path)))) {
        throw new SlipwayError('OCI_PATH_ORPHAN', `${path} is chosen for a layer without its directory`, {
          subject: path,
        })
      }
      const found = look(path, top + path.slice(base === '/' ? 0 : base.length))
      if (found.stats.isDirectory()) directories.add(path)
      yield* entryOf(found, owner)
    }
  })
}

/** A layer of given entries, in their order: launcher, process types, files that a builder is made of. */
export function entriesLayer(entries: Iterable<LayerEntry> | (() => Iterable<LayerEntry>)): LayerSource {
  return {
    blocksValid: BLOCKS_VALID,
    blocks: () => tarBlocks(typeof entries === 'function' ? entries() : entries),
  }
}

/** A file, directory or link found by {@link walk}, unfollowed. */
export interface Found {
  readonly path: ContainerPath
  /** On this machine, latin1 bytes. */
  readonly host: string
  readonly stats: Stats
}

/**
 * A directory (or file, or link) and all below it, in the order of Go's filepath.Walk: parents first, siblings by the
 * bytes of their names. Links are reported, never followed.
 */
export function* walk(root: Root, path: ContainerPath): Generator<Found, void> {
  const pending: [path: ContainerPath, host: string][] = [[path, root.resolve(path, 'keep')]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [at, host] = next
    const found = look(at, host, at === path)
    yield found
    if (!found.stats.isDirectory()) continue
    const names = readNames(host)
    const prefix = at === '/' ? '' : at
    const hostPrefix = host === '/' ? '' : host
    for (let index = names.length - 1; index >= 0; index--) {
      pending.push([`${prefix}/${names[index]}` as ContainerPath, `${hostPrefix}/${names[index]}`])
    }
  }
}

/**
 * The paths of a directory and of all below it, in the order of {@link walk}, from the directories' own entries alone:
 * no file is looked at. @throws SlipwayError `OCI_LAYER_MISSING`, `OCI_FILE_UNREADABLE`
 */
export function listTree(root: Root, path: ContainerPath): ContainerPath[] {
  const host = root.resolve(path, 'keep')
  const paths = [path]
  if (look(path, host, true).stats.isDirectory()) addTree(paths, path === '/' ? '' : path, host)
  return paths
}

function addTree(paths: ContainerPath[], prefix: string, host: string): void {
  for (const entry of readEntries(host)) {
    const path = `${prefix}/${entry.name}`
    paths.push(path as ContainerPath)
    if (entry.isDirectory()) addTree(paths, path, `${host}/${entry.name}`)
  }
}

/** By the bytes of their names. */
function readEntries(host: string): Dirent[] {
  try {
    const entries = readdirSync(hostBytes(host), { withFileTypes: true, encoding: 'latin1' })
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    throw unreadable(host, error)
  }
}

function readNames(host: string): string[] {
  try {
    return readdirSync(hostBytes(host), 'latin1').sort()
  } catch (error) {
    throw unreadable(host, error)
  }
}

function look(path: ContainerPath, host: string, first = false): Found {
  const stats = orUnreadable(host, () => lstatSync(hostBytes(host), { throwIfNoEntry: !first }))
  if (stats !== undefined) return { path, host, stats }
  throw new SlipwayError('OCI_LAYER_MISSING', `there is no ${path} to make a layer of`, {
    subject: displayPath(host),
    hint: 'check the name of the directory, and that it is mounted here',
    class: 'usage',
  })
}

function orUnreadable<T>(host: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw unreadable(host, error)
  }
}

function* parents(path: ContainerPath, owner: LayerOwner): Generator<LayerEntry, void> {
  for (const parent of ancestors(path)) {
    if (parent === '/') continue
    const owned = owner.owned.some((directory) => isWithin(parent, directory))
    const ids = owned ? { uid: owner.uid, gid: owner.gid } : { uid: 0, gid: 0 }
    yield { type: 'directory', name: parent, mode: 0o755, ...ids }
  }
}

/** None for a socket. */
function* entryOf({ path, host, stats }: Found, owner: LayerOwner): Generator<LayerEntry, void> {
  const fields = { name: path as string, mode: stats.mode & 0o7777, uid: owner.uid, gid: owner.gid }
  if (stats.isFile()) yield { type: 'file', ...fields, content: { host, size: stats.size } }
  else if (stats.isDirectory()) yield { type: 'directory', ...fields }
  else if (stats.isSymbolicLink()) {
    const linkname = orUnreadable(host, () => readlinkSync(hostBytes(host), 'latin1'))
    yield { type: 'symlink', ...fields, linkname }
  } else if (stats.isFIFO()) yield { type: 'fifo', ...fields }
  else if (stats.isCharacterDevice() || stats.isBlockDevice()) {
    const type = stats.isBlockDevice() ? 'block-device' : 'character-device'
    yield { type, ...fields, ...deviceOf(BigInt(stats.rdev)) }
  }
}

/** Linux's encoding of a device number. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}
