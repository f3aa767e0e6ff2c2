import type { Digest } from '../digest.ts'
import { blobSize } from './download.ts'
import { pullScope, pushScope } from './scope.ts'
import { resource, type Target } from './target.ts'
import { openedUpload } from './upload-session.ts'

/**
 * Makes a blob of another repository of the registry available in this one (distribution spec, mounting). False where
 * the registry does not do so; what it opened instead is kept for the upload that follows.
 */
export async function mountBlob(target: Target, digest: Digest, from: string): Promise<boolean> {
  target.state.writes = true
  if (target.state.present.has(digest)) return true
  if (from === target.path) return (await blobSize(target, digest)) !== undefined
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`
  const response = await target.session.send({
    method: 'POST',
    target: resource(target, `blobs/uploads/?${query}`),
    repository: target.path,
    scopes: [pushScope(target.path), pullScope(from)],
  })
  if (response.status === 202) {
    target.state.opened.set(digest, await openedUpload(target, response))
    return false
  }
  await response.discard()
  // Whatever else is answered to a mount, the ordinary upload may still work (ggcr issues 1404, 1679).
  return response.status === 201
}
