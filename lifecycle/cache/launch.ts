import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, renameSync, statSync, writeSync } from 'node:fs'
import { errorChain } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import { hostBytes } from '../../core/root.ts'
import type { LayerShelf, ShelfSink } from '../../oci/daemon/index.ts'
import type { Digest } from '../../oci/digest.ts'
import { blocksOf, prepareDirectory, requireDirectory } from './directory.ts'
import { COMMITTED, removeTree, tarName } from './layout.ts'

/**
 * The launch cache (platform spec, `-launch-cache`; cnb-spec SV-3): tars of an app image's layers beside a container
 * daemon, named as the Go lifecycle names them (`committed/<diffID>.tar`). Each appears by a rename and is checked by
 * whoever reads it. A cache that cannot be written costs time, not the build.
 * @param directory path on this machine, latin1-named; it must exist.
 * @throws SlipwayError `CACHE_DIRECTORY_MISSING`
 */
export function launchCache(directory: string, emit: Emit): LayerShelf {
  requireDirectory(directory)
  const committed = `${directory}/${COMMITTED}`
  const pathOf = (diffId: Digest) => `${committed}/${tarName(diffId)}`

  const find: LayerShelf['find'] = (diffId) => {
    const state = statSync(hostBytes(pathOf(diffId)), { throwIfNoEntry: false })
    if (state === undefined) return undefined
    return { diffId, size: state.size, open: () => blocksOf(pathOf(diffId), diffId) }
  }

  /** Does something for the cache; false, and no further try, where that fails. */
  let isBroken = false
  const attempt = (work: () => void): boolean => {
    if (isBroken) return false
    try {
      work()
    } catch (error) {
      isBroken = true
      emit({ type: 'warning', message: `Failed to write the launch cache: ${errorChain(error)}` })
    }
    return !isBroken
  }

  return {
    find,
    discard: (diffId) => void attempt(() => removeTree(pathOf(diffId))),
    add: (diffId) => (find(diffId) === undefined ? sink(committed, pathOf(diffId), attempt) : undefined),
    keepOnly(diffIds) {
      attempt(() => {
        prepareDirectory(directory)
        const kept = new Set(diffIds.map(tarName))
        for (const name of readdirSync(hostBytes(committed), 'latin1')) {
          if (name.endsWith('.tar') && !kept.has(name)) removeTree(`${committed}/${name}`)
        }
      })
    },
  }

  function sink(folder: string, path: string, attempt: (work: () => void) => boolean): ShelfSink {
    const making = `${folder}/${randomBytes(8).toString('hex')}.tmp`
    let file: number | undefined
    const close = () => {
      if (file !== undefined) closeSync(file)
      file = undefined
    }
    return {
      start() {
        attempt(() => {
          prepareDirectory(directory)
          file = openSync(hostBytes(making), 'wx', 0o666)
        })
      },
      block(bytes) {
        const written = attempt(() => {
          for (let at = 0; file !== undefined && at < bytes.length; ) at += writeSync(file, bytes, at)
        })
        if (!written) this.abandon()
      },
      finish() {
        if (file === undefined) return
        close()
        attempt(() => renameSync(hostBytes(making), hostBytes(path)))
      },
      abandon() {
        if (file === undefined) return
        close()
        removeTree(making)
      },
    }
  }
}
