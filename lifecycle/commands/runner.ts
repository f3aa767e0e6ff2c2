import { type DirectRunner, directRunner } from '../run-direct.ts'
import type { Variables } from './inputs.ts'
import { beforeEnd } from './signals.ts'

/**
 * The runner of a command: buildpacks run as children of this process. Where this process is asked to end, they end
 * first and the phase clears up behind them.
 * @param env this process's environment, which in a container is the build image's
 */
export function commandRunner(env: Variables): DirectRunner {
  const set = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  const runner = directRunner(Object.fromEntries(set))
  beforeEnd(runner.stop)
  return runner
}
