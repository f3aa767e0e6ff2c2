import { SlipwayError } from '../../core/error.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { type Command, runCommand } from './command.ts'
import { Failure } from './failure.ts'
import type { Variables } from './inputs.ts'

/** Says so and gives the exit code. */
export function runUnknownPhase(
  phase: string | undefined,
  known: readonly string[],
  env: Variables,
): Promise<number> {
  return runCommand(unknownPhase(phase, known), { calledAs: phase ?? 'lifecycle', args: [], env })
}

/** What `lifecycle` is where its first argument is none of the phases (cnb-spec C-1): a failure with exit code 3. */
function unknownPhase(phase: string | undefined, known: readonly string[]): Command {
  return {
    name: 'lifecycle',
    flags: () => [],
    run: async () => {
      const text = phase === undefined ? 'no phase is named' : `${phase}; valid phases: ${known.join(', ')}`
      throw new Failure(
        phase === undefined ? 'parse arguments' : 'recognize phase',
        new SlipwayError('LIFECYCLE_PHASE_UNKNOWN', text, {
          ...(phase === undefined ? { hint: `Call it as one of ${known.join(', ')}.` } : {}),
          class: 'usage',
          exitCode: EXIT_CODES.invalidArguments,
        }),
      )
    },
  }
}
