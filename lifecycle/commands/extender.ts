import { SlipwayError } from '../../core/error.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { type Command, commandProgram } from './command.ts'
import { Failure, invalidArguments } from './failure.ts'
import { type FlagName, since } from './inputs.ts'

/** `extender` (cnb-spec §2.5): takes its flags and says that this lifecycle does not run Dockerfiles. */
export const extender: Command = {
  name: 'extender',
  phase: 'extend',
  flags: extenderFlags,
  run: async ({ inputs: { extendKind: kind }, platformApi, positionals }) => {
    if (positionals.length > 0) throw invalidArguments('received unexpected arguments')
    if (isAtLeast(platformApi, '0.12') && kind !== 'build' && kind !== 'run') {
      throw invalidArguments(`-kind must be build or run, not ${JSON.stringify(kind)}`, 'resolve inputs')
    }
    throw new Failure(
      'extend',
      new SlipwayError(
        'EXTEND_UNSUPPORTED',
        'this lifecycle does not extend images: it runs no Dockerfiles of image extensions',
        {
          hint: 'Use a builder without image extensions, or one whose extensions only choose the run image.',
          class: 'usage',
          exitCode: EXIT_CODES.extend,
        },
      ),
    )
  },
}

export const run = commandProgram(extender)

function extenderFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.12', 'extended', 'kind'),
    ...(['analyzed', 'app', 'buildpacks', 'generated', 'gid', 'group', 'kaniko-cache-ttl'] as const),
    ...(['layers', 'plan', 'platform', 'uid'] as const),
  ]
}
