import { SlipwayError } from '../../core/error.ts'
import { DENIED_HINT, type RegistryComplaint, refusal } from './failure.ts'
import { headManifest } from './manifests.ts'
import { resource, type Target } from './target.ts'
import { abandon, openUpload } from './upload-session.ts'

/**
 * Access checks of the analyzer (lifecycle-behaviour §6.2): reading is tried by a HEAD of the manifest, writing also by
 * opening an upload, which is dropped again. What is missing is accessible.
 * @throws SlipwayError `OCI_ACCESS_DENIED`, and what the connection fails with
 */
export async function verifyAccess(target: Target, use: 'read' | 'write', reference: string): Promise<void> {
  if (use === 'write') target.state.writes = true
  // Side by side, for a build waits for this.
  const [head, write] = await Promise.allSettled([
    headManifest(target, reference),
    use === 'write' ? tryUpload(target) : undefined,
  ])
  if (head.status === 'rejected') throw head.reason
  const { status } = head.value
  await head.value.discard()
  if (status === 401 || status === 403) throw denied(target, use, status, await reasons(target, reference))
  if (write.status === 'rejected') throw write.reason
}

async function tryUpload(target: Target): Promise<void> {
  try {
    await abandon(target, await openUpload(target))
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'OCI_ACCESS_DENIED') throw error
    throw new SlipwayError('OCI_ACCESS_DENIED', `no write access to ${target.name}`, {
      subject: target.name,
      hint: DENIED_HINT,
      class: 'infrastructure',
      cause: error,
    })
  }
}

/** An answer to HEAD has no body: the reason is asked for once more. */
async function reasons(target: Target, reference: string): Promise<readonly RegistryComplaint[]> {
  const response = await target.session.send({
    method: 'GET',
    target: resource(target, `manifests/${reference}`),
    repository: target.path,
    scopes: [],
  })
  return (await refusal(response, 'read', target.name)).complaints
}

function denied(
  target: Target,
  use: 'read' | 'write',
  status: number,
  complaints: readonly RegistryComplaint[],
): SlipwayError {
  const said = complaints.map(({ code, message }) => `${code}: ${message}`).join('; ')
  return new SlipwayError(
    'OCI_ACCESS_DENIED',
    `no ${use === 'read' ? 'read' : 'read/write'} access to ${target.name}: the registry answered ${status}${said === '' ? '' : ` (${said})`}`,
    { subject: target.name, hint: DENIED_HINT, class: 'infrastructure' },
  )
}
