import { SlipwayError } from '../../core/error.ts'
import type { ApiVersion } from '../../spec/api-version.ts'
import { ENV } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { writeReport } from '../../spec/files/report.ts'
import { type Rebased, rebase } from '../phases/rebase.ts'
import { inStep } from '../phases/steps.ts'
import { openAccess } from './access.ts'
import { type Command, commandProgram } from './command.ts'
import { act, invalidArguments } from './failure.ts'
import { writeFile } from './files.ts'
import { type FlagName, since } from './inputs.ts'
import { dropPrivileges } from './privileges.ts'

/** `rebaser` (cnb-spec §2.9). */
export const rebaser: Command = {
  name: 'rebaser',
  phase: 'rebase',
  flags: rebaserFlags,
  run: async (context) => {
    const { inputs, env, positionals, root, emit, say, platformApi } = context
    const [image, ...tags] = positionals
    if (image === undefined || image === '') throw invalidArguments('at least one image argument is required')
    const isRunImageGiven = inputs.runImage !== (env[ENV.runImage] ?? '')
    if (isRunImageGiven && inputs.deprecatedRunImage !== '') {
      throw invalidArguments('supply only one of -run-image or (deprecated) -image', 'resolve inputs')
    }
    const runImage = inputs.deprecatedRunImage || inputs.runImage
    const { previousImage } = inputs
    say('debug', 'Ensuring privileges...')
    const known = [image, ...tags, previousImage, runImage].filter((name) => name !== '')
    await using access = await openAccess({ ...context, inputs: { ...inputs, layout: false } }, known)
    await dropPrivileges(inputs.uid, inputs.gid, [])
    say('debug', 'Executing command...')
    const { report } = await rebaseImage(
      {
        images: [image, ...tags],
        force: inputs.forceRebase,
        ...(previousImage === '' ? {} : { previousImage }),
        ...(runImage === '' ? {} : { runImage }),
      },
      { emit, platformApi, images: access.images },
    )
    await inStep(emit, 'rebase', 'write report.toml', () =>
      writeFile(root, inputs.reportPath, 'rebase report', writeReport(report), EXIT_CODES.rebase),
    )
  },
}

export const run = commandProgram(rebaser)

/** What the reference was about to do then; it calls all that comes later a rebase. */
const ACTIONS: Readonly<Record<string, string>> = {
  REBASE_IMAGE_MISSING: 'set app image',
  REBASE_RUN_IMAGE_UNNAMED: 'set app image',
  ANALYZE_RUN_IMAGE_INACCESSIBLE: 'set app image',
  REBASE_RUN_IMAGE_MISSING: 'access run image',
}

async function rebaseImage(...given: Parameters<typeof rebase>): Promise<Rebased> {
  try {
    return await rebase(...given)
  } catch (error) {
    const action = error instanceof SlipwayError ? ACTIONS[error.code] : undefined
    return act(action ?? 'rebase', () => {
      throw error
    })
  }
}

function rebaserFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'force'),
    ...since(platformApi, '0.11', 'previous-image'),
    ...(['daemon', 'gid', 'image', 'report', 'run-image', 'uid'] as const),
  ]
}
