import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import type { Digest } from '../../oci/digest.ts'
import { type CacheMetadata, writeCacheMetadata } from '../../spec/labels/cache-metadata.ts'
import type { CacheLayerSink, CacheWriter } from './cache.ts'
import {
  COMMITTED,
  fileIdentity,
  isMissing,
  METADATA_FILE,
  removeTree,
  STAGING_PREFIX,
  tarName,
} from './layout.ts'
import { sweep } from './sweep.ts'
import { writeVerified } from './verified.ts'

/** How often a commit starts again because the Go lifecycle moved `committed` away under it. */
const ATTEMPTS = 5

/**
 * The next content of a cache directory, gathered in a staging directory of its own.
 *
 * The Go lifecycle swaps the directory `committed` with two renames; killed between them it loses the cache, and two
 * users of its one staging directory destroy each other's work. Here a commit puts the tars into `committed` one by one,
 * each under its digest, and then replaces the metadata file in one rename: before it the old content counts, after it
 * the new one. What neither needs is swept afterwards. The staging directory keeps a hard link to every tar until the
 * commit is done, and no sweep removes a tar with a second link, so another user cannot take one away in between.
 */
export class CacheStaging implements CacheWriter {
  readonly #directory: string
  readonly #committed: string
  readonly #staging: string
  readonly #isIntact: (diffId: Digest) => Promise<boolean>
  readonly #layers = new Set<Digest>()
  #files = 0
  #done = false

  constructor(directory: string, isIntact: (diffId: Digest) => Promise<boolean>) {
    this.#directory = directory
    this.#committed = `${directory}/${COMMITTED}`
    this.#staging = `${directory}/${STAGING_PREFIX}${randomBytes(8).toString('hex')}`
    this.#isIntact = isIntact
    mkdirSync(hostBytes(this.#staging))
  }

  async reuse(diffId: Digest): Promise<boolean> {
    if (this.#layers.has(diffId)) return true
    // Linked first, so that what is looked at is what will be committed.
    const linked = this.#link(`${this.#committed}/${tarName(diffId)}`, this.#staged(diffId))
    if (linked === 'missing') return false
    if (!(await this.#isIntact(diffId))) {
      removeTree(this.#staged(diffId))
      return false
    }
    this.#layers.add(diffId)
    return true
  }

  async add(): Promise<CacheLayerSink> {
    const path = `${this.#staging}/layer-${this.#files++}`
    const file = openSync(hostBytes(path), 'wx', 0o666)
    let open = true
    let position = 0
    const close = () => {
      if (open) closeSync(file)
      open = false
    }
    return {
      start: () => {
        ftruncateSync(file, 0)
        position = 0
      },
      block: (bytes) => {
        for (let at = 0; at < bytes.length; ) {
          const written = writeSync(file, bytes, at, bytes.length - at, position)
          at += written
          position += written
        }
      },
      finish: async (diffId) => {
        close()
        renameSync(hostBytes(path), hostBytes(this.#staged(diffId)))
        this.#layers.add(diffId)
      },
      abandon: async () => {
        close()
        removeTree(path)
      },
    }
  }

  async commit(metadata: CacheMetadata): Promise<void> {
    if (this.#done)
      throw new SlipwayError('CACHE_COMMITTED', 'the cache is committed already', {
        subject: this.#directory,
      })
    for (let attempt = 1; !this.#publish(metadata); attempt++) {
      if (attempt === ATTEMPTS) {
        throw new SlipwayError('CACHE_BUSY', `other builds keep replacing the cache ${this.#directory}`, {
          subject: this.#directory,
          hint: 'Give each app a cache of its own.',
          class: 'infrastructure',
        })
      }
    }
    this.#done = true
    removeTree(this.#staging)
    sweep(this.#directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#done) removeTree(this.#staging)
  }

  /** One try to make the new content count; false where `committed` or a tar of it went away meanwhile. */
  #publish(metadata: CacheMetadata): boolean {
    mkdirSync(hostBytes(this.#committed), { recursive: true })
    try {
      for (const diffId of this.#layers) this.#put(diffId)
      writeVerified(this.#committed, this.#layers)
      writeFileAtomically(`${this.#committed}/${METADATA_FILE}`, `${writeCacheMetadata(metadata)}\n`, {
        mode: 0o666,
      })
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
    return [...this.#layers].every(
      (diffId) => fileIdentity(`${this.#committed}/${tarName(diffId)}`) !== undefined,
    )
  }

  /** Puts one tar in its place in one step, also over a broken one, and keeps the staged link. */
  #put(diffId: Digest): void {
    const place = `${this.#committed}/${tarName(diffId)}`
    const staged = fileIdentity(this.#staged(diffId))
    // Without hard links a reused tar was never staged, and an added one is moved.
    if (staged === undefined || staged === fileIdentity(place)) return
    const moving = `${this.#staging}/moving-${tarName(diffId)}`
    const linked = this.#link(this.#staged(diffId), moving)
    renameSync(hostBytes(linked === 'linked' ? moving : this.#staged(diffId)), hostBytes(place))
  }

  #link(from: string, to: string): 'linked' | 'missing' | 'unsupported' {
    try {
      linkSync(hostBytes(from), hostBytes(to))
      return 'linked'
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EEXIST') return 'linked'
      if (isMissing(error)) return 'missing'
      if (
        code === 'EPERM' ||
        code === 'ENOTSUP' ||
        code === 'EOPNOTSUPP' ||
        code === 'ENOSYS' ||
        code === 'EMLINK'
      )
        return 'unsupported'
      throw error
    }
  }

  #staged(diffId: Digest): string {
    return `${this.#staging}/${tarName(diffId)}`
  }
}
