import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { digestOf } from '../digest.ts'
import type { Descriptor, Index } from '../image.ts'
import { indexJson } from '../image-json.ts'
import { parseIndex } from '../parse-manifest.ts'
import { writeDurably } from './durable.ts'

/**
 * The index of a layout, changed by any number of processes without a lock.
 *
 * A change is committed by making `.slipway/index/<n+1>.json` with link(2), which fails where the name exists: of all
 * who read generation n, one wins, the others read again. Only then `index.json` is renamed into place, which is all a
 * stranger looks at. It carries its generation as an annotation, so that a reader sees whether a newer one was committed
 * whose writer died, or was overtaken, before the rename; the next change publishes it. What a stranger (skopeo) wrote
 * into `index.json` since is taken over, because its generation is not behind; where the stranger dropped the annotation,
 * a change made to that file names its digest, so that one knows which of the two is newer.
 *
 * Older generations are removed at once. A writer so slow that the place it links to was taken and removed again finds a
 * higher number when it looks after its own link, and starts over; so a change counts only when it is seen in a fresh
 * read. Changes are therefore written to be repeatable.
 */
export interface IndexFile {
  read(): readonly Descriptor[]
  /** `change` gives the very list it got when there is nothing to do; it may be called several times. */
  update(change: (manifests: readonly Descriptor[]) => readonly Descriptor[]): void
}

const GENERATION = 'dev.slipway.generation'
const REPLACES = 'dev.slipway.replaces'
const LIMIT = 64 << 20

interface State {
  readonly generation: number
  readonly index: Index
  /** Whether `index.json` says the same. */
  readonly published: boolean
  /** Digest of an `index.json` without a generation: what a change of it has to name. */
  readonly unnumbered: string | undefined
}

export function indexFile(directory: string): IndexFile {
  const published = join(directory, 'index.json')
  const generations = join(directory, '.slipway', 'index')
  const pathOf = (generation: number) => join(generations, `${generation}.json`)

  function newest(): number {
    return Math.max(0, ...numbers())
  }

  function numbers(): number[] {
    return (orMissing(() => readdirSync(generations)) ?? [])
      .map((name) => /^([1-9][0-9]{0,14})\.json$/.exec(name)?.[1])
      .filter((text) => text !== undefined)
      .map(Number)
  }

  function state(): State {
    for (;;) {
      const committed = newest()
      const shown = shownState(committed)
      if (committed === 0 || (shown.unnumbered === undefined && shown.generation >= committed)) return shown
      const ahead = readIndex(pathOf(committed))?.index
      // Removed since, because a newer one was committed.
      if (ahead === undefined) continue
      // A stranger who drops our annotations wrote this after the last change, unless that change was made to it.
      const { unnumbered } = shown
      if (unnumbered !== undefined && ahead.annotations?.[REPLACES] !== unnumbered) return shown
      return { generation: committed, index: ahead, published: false, unnumbered }
    }
  }

  /** What `index.json` says. */
  function shownState(committed: number): State {
    const read = readIndex(published)
    if (read === undefined) return { generation: 0, index: EMPTY, published: false, unnumbered: undefined }
    const generation = generationOf(read.index)
    return {
      generation: generation ?? committed,
      index: read.index,
      published: true,
      unnumbered: generation === undefined ? read.digest : undefined,
    }
  }

  function temporary(bytes: string): string {
    const path = join(generations, `.${randomBytes(8).toString('hex')}.tmp`)
    mkdirSync(generations, { recursive: true })
    writeDurably(path, bytes)
    return path
  }

  function commit(generation: number, bytes: string): void {
    const path = temporary(bytes)
    try {
      linkSync(path, pathOf(generation))
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    } finally {
      rmSync(path, { force: true })
    }
  }

  function publish({ index, generation }: State): void {
    // A file of its own, not a second link: strangers write index.json in place.
    renameSync(temporary(serialise(index, generation, undefined)), published)
  }

  function removeOlder(than: number): void {
    for (const number of numbers()) if (number < than) rmSync(pathOf(number), { force: true })
  }

  return {
    read: () => state().index.manifests,
    update(change) {
      for (;;) {
        const now = state()
        const manifests = change(now.index.manifests)
        if (manifests !== now.index.manifests) {
          const next = now.generation + 1
          commit(next, serialise({ ...now.index, manifests }, next, now.unnumbered))
          continue
        }
        if (now.published) return
        // Published again if a newer one came meanwhile, since this rename may have covered it.
        publish(now)
        removeOlder(now.generation)
      }
    },
  }
}

const EMPTY: Index = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [],
}

function generationOf(index: Index): number | undefined {
  const text = index.annotations?.[GENERATION]
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}

function serialise(index: Index, generation: number, replaces: string | undefined): string {
  const { [REPLACES]: _, ...annotations } = index.annotations ?? {}
  return indexJson({
    ...index,
    annotations: {
      ...annotations,
      [GENERATION]: String(generation),
      ...(replaces === undefined ? {} : { [REPLACES]: replaces }),
    },
  })
}

function readIndex(path: string): { readonly index: Index; readonly digest: string } | undefined {
  const bytes = orMissing(() => {
    if (statSync(path).size <= LIMIT) return readFileSync(path)
    throw new SlipwayError('OCI_LAYOUT_INVALID', `${path} is too large to be an index`, { subject: path })
  })
  return bytes === undefined ? undefined : { index: parseIndex(bytes, path), digest: digestOf(bytes) }
}

/** The result of reading, or undefined where there is nothing. */
export function orMissing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
