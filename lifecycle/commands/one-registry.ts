import { parseReference, sameRegistry } from '../../oci/reference.ts'
import { act, invalidArguments } from './failure.ts'
import type { Inputs } from './inputs.ts'

/**
 * All names of an image are in one registry (cnb-spec A-1, E-1): an image is made in one place. Layouts are directories,
 * a daemon is one place.
 * @throws Failure `failed to resolve inputs: …` (exit 3), also for what is no name of an image
 */
export async function requireOneRegistry(
  names: readonly string[],
  inputs: Pick<Inputs, 'daemon' | 'layout'>,
): Promise<void> {
  if (inputs.layout || inputs.daemon) return
  const [first, ...others] = await act('resolve inputs', () => names.map(parseReference))
  if (first !== undefined && others.some((other) => !sameRegistry(first, other))) {
    throw invalidArguments('writing to multiple registries is unsupported', 'resolve inputs')
  }
}
