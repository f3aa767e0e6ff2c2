import { isAtLeast, parseExperimentalMode, requireExperimental } from '../../spec/api-version.ts'
import type { StepContext } from './command.ts'
import { Failure } from './failure.ts'

/**
 * Image extensions are experimental before Platform API 0.13 (cnb-spec V-40, V-41).
 * @throws Failure exit 1 where experimental features are off
 */
export function guardDockerfiles({ platformApi, inputs, say }: StepContext): void {
  if (isAtLeast(platformApi, '0.13')) return
  try {
    requireExperimental('Dockerfiles', parseExperimentalMode(inputs.experimentalMode), say)
  } catch (error) {
    throw new Failure('use experimental features', error)
  }
}
