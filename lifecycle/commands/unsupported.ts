import { SlipwayError } from '../../core/error.ts'
import { Failure } from './failure.ts'
import type { Inputs } from './inputs.ts'

/**
 * Says no to a container daemon, which this lifecycle cannot write to, before anything is done.
 * @throws Failure (exit 1)
 */
export function refuseDaemon(action: string, { daemon }: Inputs): void {
  if (!daemon) return
  throw new Failure(
    action,
    new SlipwayError('LIFECYCLE_UNSUPPORTED', '-daemon is not supported by this lifecycle', {
      subject: '-daemon',
      hint: 'Work in a registry, and load the image from there.',
      class: 'usage',
    }),
  )
}
