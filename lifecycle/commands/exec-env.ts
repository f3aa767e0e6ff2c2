import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { ENV } from '../../spec/environment.ts'
import { invalidArguments } from './failure.ts'
import type { Inputs } from './inputs.ts'

/**
 * Refuses an execution environment that is no name (cnb-spec X-3): buildpacks make file names of it.
 * @throws Failure `failed to resolve inputs: …` (exit 3)
 */
export function requireExecEnv({ execEnv }: Pick<Inputs, 'execEnv'>, platformApi: ApiVersion): void {
  if (!isAtLeast(platformApi, '0.15') || !execEnv.includes('/')) return
  throw invalidArguments(
    `${ENV.execEnv} must not contain a slash: ${JSON.stringify(execEnv)}`,
    'resolve inputs',
  )
}
