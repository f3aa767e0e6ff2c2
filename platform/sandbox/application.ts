import type { RunSpec, RunStatus } from '../../core/runner.ts'
import type { Output } from './process.ts'
import { createSandbox, type SandboxOptions } from './sandbox.ts'

/** Signals that end an application gracefully. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/**
 * Runs an app image's program until it ends: in the same sandbox as a build, with this process's outputs or with
 * `output`. The first Ctrl-C (or SIGTERM …) is the application's, to end gracefully; a second one ends it at once.
 * @returns how the program ended; `signalled` by SIGKILL where it was ended by force
 * @throws SlipwayError as {@link createSandbox} does, and where the program cannot be started
 */
export async function runApplication(
  options: SandboxOptions,
  program: RunSpec,
  output: Output = 'inherit',
): Promise<RunStatus> {
  await using sandbox = await createSandbox(options)
  const { status, signal } = sandbox.start(program, output)
  let asked = false
  const forward = (name: NodeJS.Signals): void => {
    signal(asked ? 'SIGKILL' : name)
    asked = true
  }
  for (const name of FORWARDED) process.on(name, forward)
  try {
    return await status
  } finally {
    for (const name of FORWARDED) process.off(name, forward)
  }
}
