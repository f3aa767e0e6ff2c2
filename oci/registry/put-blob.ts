import { SlipwayError } from '../../core/error.ts'
import type { Digest } from '../digest.ts'
import type { BlobSource, StoredBlob } from '../image.ts'
import { blobSize } from './download.ts'
import { mountBlob } from './mount.ts'
import type { Target } from './target.ts'
import { upload } from './upload.ts'
import { abandon } from './upload-session.ts'

/** Where a blob of this registry is: in the repository that wants it, or in another one, to be mounted from. */
type Whereabouts = { readonly stored: StoredBlob } | { readonly path: string }

/**
 * Stores a blob, skipping what is there already. Of all who upload one known digest at a time one does: to this repository
 * within this process, to this registry among the processes that share a store; the others mount it from where it went.
 * What is streamed from a directory has its digest only at its end, when it is there already: it is sent.
 */
export async function putBlob(target: Target, source: BlobSource): Promise<StoredBlob> {
  const { digest } = source
  if (digest === undefined) return await send(target, source)
  const { leases, places } = target
  if (places === undefined) return await putHere(target, digest, source)
  const registry = target.session.registry.toLowerCase()
  const found = await leases.once<Whereabouts>(
    `upload of ${digest} to ${registry}`,
    async (waited) => {
      const stored = await existing(target, digest, waited)
      if (stored !== undefined) return { stored }
      const path = places.find(registry, digest)
      // The registry has just said that it is not here.
      return path === undefined || path === target.path ? undefined : { path }
    },
    async () => ({ stored: await send(target, source) }),
  )
  if ('stored' in found) return found.stored
  if (await isMounted(target, digest, found.path)) {
    const size = source.size ?? (await blobSize(target, digest))
    if (size !== undefined) return { digest, size }
  }
  // No longer there, or not for us: only this repository's own uploads are of interest now, and one may just have ended.
  return await putHere(target, digest, source, true)
}

async function putHere(
  target: Target,
  digest: Digest,
  source: BlobSource,
  late = false,
): Promise<StoredBlob> {
  return await target.leases.once(
    `upload of ${digest} to ${target.name}`,
    (waited) => existing(target, digest, late || waited),
    () => send(target, source),
  )
}

async function send(target: Target, source: BlobSource): Promise<StoredBlob> {
  const stored = await upload(target, source)
  target.places?.note(target.session.registry.toLowerCase(), stored.digest, target.path)
  return stored
}

async function existing(target: Target, digest: Digest, waited: boolean): Promise<StoredBlob | undefined> {
  const opened = target.state.opened.get(digest)
  // A registry that opened an upload instead of mounting has just said that it lacks the blob.
  if (opened !== undefined && !waited) return undefined
  target.state.writes = true
  try {
    const size = await blobSize(target, digest)
    if (size === undefined) return undefined
    if (target.state.opened.delete(digest) && opened !== undefined)
      await abandon(target, { location: opened })
    return { digest, size }
  } catch (error) {
    // Some accounts may push and not look; the push itself will say whether it is allowed.
    if (error instanceof SlipwayError && error.code === 'OCI_ACCESS_DENIED') return undefined
    throw error
  }
}

/** A hint is worth one request: whatever it fails with, an upload will show what is really wrong. */
async function isMounted(target: Target, digest: Digest, from: string): Promise<boolean> {
  if (target.state.opened.has(digest)) return false
  try {
    return await mountBlob(target, digest, from)
  } catch (error) {
    if (error instanceof SlipwayError) return false
    throw error
  }
}
