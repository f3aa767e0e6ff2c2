import { SlipwayError } from '../../core/error.ts'
import { type Digest, digestOf, isDigest } from '../digest.ts'
import type { BlobSource, Repository, StoredManifest } from '../image.ts'
import { createMeter } from '../verify.ts'

/** Everything a {@link memoryRepository} holds, for tests to look at or to damage. */
export interface MemoryStore {
  readonly blobs: Map<Digest, Uint8Array>
  readonly manifests: Map<Digest, StoredManifest>
  /** `name:tag` to digest. */
  readonly tags: Map<string, Digest>
}

export interface MemoryRepository extends Repository {
  readonly store: MemoryStore
  /** Every method called, with its first argument, in order. */
  readonly calls: readonly string[]
}

export function memoryStore(): MemoryStore {
  return { blobs: new Map(), manifests: new Map(), tags: new Map() }
}

let origins = 0
const known = new WeakMap<MemoryStore, string>()

/** A repository in memory, for tests. Those of one store share their blobs. */
export function memoryRepository(
  name = 'memory.example/app',
  store: MemoryStore = memoryStore(),
): MemoryRepository {
  const origin = known.get(store) ?? `memory:${++origins}`
  known.set(store, origin)
  const calls: string[] = []
  return {
    name,
    origin,
    store,
    calls,
    async verifyAccess(use) {
      calls.push(`verifyAccess ${use}`)
    },
    async blobSize(digest) {
      calls.push(`blobSize ${digest}`)
      return store.blobs.get(digest)?.length
    },
    async *openBlob(digest, size) {
      calls.push(`openBlob ${digest}`)
      const bytes = store.blobs.get(digest)
      if (bytes === undefined) {
        throw new SlipwayError('OCI_BLOB_MISSING', `there is no blob ${digest}`, { subject: digest })
      }
      const meter = createMeter(digest, size === undefined ? { digest } : { digest, size })
      for (let at = 0; at < bytes.length; at += 65_536) {
        const chunk = bytes.subarray(at, at + 65_536)
        meter.add(chunk)
        yield chunk
      }
      meter.finish()
    },
    async putBlob(source: BlobSource) {
      calls.push(`putBlob ${source.digest ?? '?'}`)
      const there = source.digest === undefined ? undefined : store.blobs.get(source.digest)
      if (source.digest !== undefined && there !== undefined)
        return { digest: source.digest, size: there.length }
      const meter = createMeter(name, source)
      const chunks: Uint8Array[] = []
      for await (const chunk of source.open()) {
        meter.add(chunk)
        chunks.push(Buffer.from(chunk))
      }
      const stored = meter.finish()
      store.blobs.set(stored.digest, Buffer.concat(chunks))
      return stored
    },
    async mountBlob(digest, from) {
      calls.push(`mountBlob ${digest}`)
      return from.origin === origin && store.blobs.has(digest)
    },
    async getManifest(reference) {
      calls.push(`getManifest ${reference}`)
      const digest = isDigest(reference) ? reference : store.tags.get(`${name}:${reference}`)
      return digest === undefined ? undefined : store.manifests.get(digest)
    },
    async putManifest(bytes, mediaType, tags) {
      calls.push(`putManifest ${tags.join(',')}`)
      const digest = digestOf(bytes)
      store.manifests.set(digest, { digest, mediaType, bytes: Buffer.from(bytes) })
      for (const tag of tags) store.tags.set(`${name}:${tag}`, digest)
      return digest
    },
    async deleteManifest(reference) {
      calls.push(`deleteManifest ${reference}`)
      return isDigest(reference) && store.manifests.delete(reference)
    },
  }
}
