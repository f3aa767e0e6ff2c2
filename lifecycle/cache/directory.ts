import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import { type Digest, finishDigest } from '../../oci/digest.ts'
import { EMPTY_CACHE_METADATA } from '../../spec/labels/cache-metadata.ts'
import type { Cache } from './cache.ts'
import { BACKUP, COMMITTED, fileIdentity, isMissing, removeTree, tarName } from './layout.ts'
import { readMetadata } from './metadata.ts'
import { readRecords, writeRecords } from './records.ts'
import { CacheStaging } from './staging.ts'
import { readVerified } from './verified.ts'

const BLOCK_SIZE = 1 << 20

/**
 * A cache in a directory, laid out as the Go lifecycle lays it out (cnb-spec CA-3), so that either goes on where the
 * other ended: `committed/<diffID>.tar` and `committed/io.buildpacks.lifecycle.cache.metadata`. No lock is needed; see
 * staging.ts.
 *
 * @param directory path on this machine, latin1-named; it must exist.
 * @throws SlipwayError `CACHE_DIRECTORY_MISSING`
 */
export function cacheDirectory(directory: string): Cache {
  prepareDirectory(directory)
  const committed = `${directory}/${COMMITTED}`
  /** Tars that this process has read to the end and found right, with the identity they had. */
  const verified = new Map<Digest, string>()

  async function* openLayer(diffId: Digest): AsyncGenerator<Uint8Array> {
    const path = `${committed}/${tarName(diffId)}`
    const before = fileIdentity(path)
    const hash = createHash('sha256')
    for (const block of blocksOf(path, diffId)) {
      hash.update(block)
      yield block
    }
    const found = finishDigest(hash)
    if (found !== diffId) {
      throw new SlipwayError(
        'CACHE_LAYER_CORRUPT',
        `expected layer contents to have SHA '${diffId}'; found '${found}'`,
        { subject: path, class: 'infrastructure' },
      )
    }
    if (before !== undefined) verified.set(diffId, before)
  }

  /** Whether a tar is what its name says; it is read only where nobody has done that since it was written. */
  async function isIntact(diffId: Digest): Promise<boolean> {
    const identity = fileIdentity(`${committed}/${tarName(diffId)}`)
    if (identity === undefined) return false
    if (verified.get(diffId) === identity || readVerified(committed).get(diffId) === identity) return true
    try {
      for await (const _ of openLayer(diffId)) void _
      return true
    } catch (error) {
      if (error instanceof SlipwayError) return false
      throw error
    }
  }

  const discard = async (diffId: Digest) => {
    verified.delete(diffId)
    removeTree(`${committed}/${tarName(diffId)}`)
  }

  return {
    name: directory,
    exists: async () => true,
    metadata: async () => readMetadata(committed) ?? EMPTY_CACHE_METADATA,
    openLayer,
    discard,
    records: {
      read: () => readRecords(committed),
      write: (records) => writeRecords(committed, records),
    },
    begin: async () => new CacheStaging(directory, isIntact),
  }
}

/**
 * Makes `committed` where there is none. The Go lifecycle commits with two renames; where it was killed between them
 * the last content stands in the backup, and is put back instead of being lost.
 */
export function prepareDirectory(directory: string): void {
  requireDirectory(directory)
  const committed = hostBytes(`${directory}/${COMMITTED}`)
  if (isDirectory(`${directory}/${COMMITTED}`)) return
  try {
    renameSync(hostBytes(`${directory}/${BACKUP}`), committed)
  } catch (error) {
    // Another user came first, or there is no backup.
    if (!isMissing(error) && !['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error
  }
  mkdirSync(committed, { recursive: true })
}

/** @throws SlipwayError `CACHE_DIRECTORY_MISSING` */
export function requireDirectory(directory: string): void {
  if (isDirectory(directory)) return
  throw new SlipwayError('CACHE_DIRECTORY_MISSING', `there is no cache directory ${directory}`, {
    subject: directory,
    hint: 'Make the directory, or mount a volume there.',
    class: 'usage',
  })
}

function isDirectory(path: string): boolean {
  return statSync(hostBytes(path), { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** The tar of a layer; a block is valid until the next one is asked for. @throws SlipwayError `CACHE_LAYER_MISSING` */
export function* blocksOf(path: string, diffId: Digest): Generator<Uint8Array> {
  const file = openTar(path, diffId)
  try {
    const block = Buffer.allocUnsafe(BLOCK_SIZE)
    for (;;) {
      const length = readSync(file, block)
      if (length === 0) return
      yield block.subarray(0, length)
    }
  } finally {
    closeSync(file)
  }
}

function openTar(path: string, diffId: Digest): number {
  try {
    return openSync(hostBytes(path), 'r')
  } catch (error) {
    const [what, why] = isMissing(error)
      ? ['find', '']
      : systemCode(error) === 'EACCES'
        ? ['read', ' due to insufficient permissions']
        : []
    if (what === undefined) throw error
    throw new SlipwayError(
      'CACHE_LAYER_MISSING',
      `failed to ${what} cache layer with SHA '${diffId}'${why}`,
      {
        subject: path,
        class: 'infrastructure',
        cause: error,
      },
    )
  }
}
