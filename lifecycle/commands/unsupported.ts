import { SlipwayError } from '../../core/error.ts'
import { Failure } from './failure.ts'
import type { Inputs } from './inputs.ts'

const ALTERNATIVES = {
  daemon: ['-daemon', 'Export to a registry, and load the image from there.'],
  layout: ['-layout', 'Export to a registry, and copy the image from there.'],
  cacheImage: ['-cache-image', 'Use a directory: -cache-dir.'],
} as const

/**
 * Says no to what this lifecycle cannot do, before anything is done.
 * @throws Failure (exit 1)
 */
export function refuseUnsupported(
  action: string,
  inputs: Inputs,
  ...features: readonly (keyof typeof ALTERNATIVES)[]
): void {
  for (const feature of features) {
    if (inputs[feature] === false || inputs[feature] === '') continue
    const [what, hint] = ALTERNATIVES[feature]
    throw new Failure(
      action,
      new SlipwayError('LIFECYCLE_UNSUPPORTED', `${what} is not supported by this lifecycle`, {
        subject: what,
        hint,
        class: 'usage',
      }),
    )
  }
}
