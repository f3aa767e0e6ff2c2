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
  const here = `upload of ${digest} to ${target.name}`
  if (places === undefined) {
    return await leases.once(
      here,
      (waited) => existing(target, digest, waited),
      () => send(target, source),
    )
  }
  const registry = registryOf(target)
  const found = await leases.once<Whereabouts>(
    `upload of ${digest} to ${registry}`,
    async (waited) => {
      const path = places.find(registry, digest)
      if (path !== undefined && path !== target.path) return { path }
      const stored = await existing(target, digest, waited)
      return stored && { stored }
    },
    async () => ({ stored: await send(target, source) }),
  )
  if ('stored' in found) return found.stored
  // A registry may write anew what says that a blob is in a repository, and for a moment the blob is not: also a mount is
  // done by one at a time, and by nobody where it has been done meanwhile.
  return await leases.once(
    here,
    () => existing(target, digest, true),
    async () => (await mounted(target, source, digest, found.path)) ?? (await send(target, source)),
  )
}

function registryOf({ session }: Target): string {
  return session.registry.toLowerCase()
}

async function send(target: Target, source: BlobSource): Promise<StoredBlob> {
  const stored = await upload(target, source)
  target.places?.note(registryOf(target), stored.digest, target.path)
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
    if (target.state.opened.delete(digest) && opened !== undefined) await abandon(target, opened)
    return { digest, size }
  } catch (error) {
    // Some accounts may push and not look; the push itself will say whether it is allowed.
    if (error instanceof SlipwayError && error.code === 'OCI_ACCESS_DENIED') return undefined
    throw error
  }
}

/** A hint is worth one request: whatever it fails with, an upload will show what is really wrong. */
async function mounted(
  target: Target,
  source: BlobSource,
  digest: Digest,
  from: string,
): Promise<StoredBlob | undefined> {
  if (target.state.opened.has(digest)) return undefined
  try {
    if (!(await mountBlob(target, digest, from))) return undefined
    const size = source.size ?? (await blobSize(target, digest))
    return size === undefined ? undefined : { digest, size }
  } catch (error) {
    if (error instanceof SlipwayError) return undefined
    throw error
  }
}
