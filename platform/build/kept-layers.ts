import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { ancestors, type ContainerPath, containerPath, joinPath } from '../../core/container-path.ts'
import { systemCode } from '../../core/error.ts'
import { hostBytes, type Root } from '../../core/root.ts'
import type { Cache } from '../../lifecycle/cache/cache.ts'
import type { KeptLayers } from '../../lifecycle/phases/restore.ts'
import { escapeId, fileNameOf } from '../../spec/names.ts'
import { hostOwner } from '../sandbox/host-owner.ts'

const LAYERS = containerPath('/layers')

/**
 * The directories of an image's cached layers between its builds: the next one moves them back instead of unpacking
 * thousands of files. They are worth what the cache's record of them says; their tars remain the cache. Two builds of
 * one image at a time do not share them: one has them, the other unpacks.
 *
 * @param store where they are between builds, on the file system of `build`
 * @param build the build's own directory on this machine
 * @param root with the build's layers mounted
 */
export function keptLayers({
  store,
  build,
  root,
}: {
  readonly store: string
  readonly build: string
  readonly root: Root
}): KeptLayers & {
  /** After a build: takes the cached layers out of its directory. No program of the build may run any more. */
  keep(cache: Cache): Promise<void>
} {
  const [taken, keeping] = [join(build, 'taken'), join(build, 'keeping')]
  moved(store, taken)
  return {
    owner: hostOwner(),
    take: (path) => {
      root.mkdir(ancestors(path).at(-1) ?? LAYERS)
      moved(join(taken, nameOf(path)), root.resolve(path, 'keep'))
    },
    async keep(cache) {
      if (!made(keeping)) return
      for (const path of await cachedLayers(cache)) {
        // What a build left may be anything: a link on the way leads to what is not the layer.
        if ([...ancestors(path).slice(1), path].every((part) => isDirectory(root.resolve(part, 'keep'))))
          moved(root.resolve(path, 'keep'), join(keeping, nameOf(path)))
      }
      // Another build's, which ended meanwhile; it goes with this build's directory.
      moved(store, join(build, 'replaced'))
      moved(keeping, store)
    },
  }
}

/** Layers that the next build may want back as they are. */
async function cachedLayers(cache: Cache): Promise<ContainerPath[]> {
  const records = cache.records?.read()
  const { buildpacks } = await cache.metadata()
  return buildpacks.flatMap(({ id, layers }) =>
    [...layers].flatMap(([name, { sha }]) => {
      const path = joinPath(LAYERS, escapeId(id), fileNameOf(name))
      return records?.get(path)?.diffId === sha ? [path] : []
    }),
  )
}

/** A name without parts of its own, so that nothing on the way to it can be a link. */
function nameOf(path: ContainerPath): string {
  return createHash('sha256').update(path, 'latin1').digest('hex')
}

function isDirectory(host: string): boolean {
  return lstatSync(hostBytes(host), { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A directory for nobody else; false where a full disk or the like hinders: a build that has succeeded does not fail by it. */
function made(host: string): boolean {
  try {
    mkdirSync(host, { mode: 0o700 })
    return true
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return false
  }
}

/** Moves a directory; where that cannot be, nothing happens, and the layer is unpacked from its tar. */
function moved(from: string, to: string): void {
  try {
    renameSync(hostBytes(from), hostBytes(to))
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}
