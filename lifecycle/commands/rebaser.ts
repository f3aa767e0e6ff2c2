import type { ApiVersion } from '../../spec/api-version.ts'
import { ENV } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { writeReport } from '../../spec/files/report.ts'
import { rebase } from '../phases/rebase.ts'
import { inStep } from '../phases/steps.ts'
import { type Command, commandProgram } from './command.ts'
import { act, invalidArguments } from './failure.ts'
import { writeFile } from './files.ts'
import { type FlagName, since } from './inputs.ts'
import { dropPrivileges } from './privileges.ts'
import { refuseDaemon } from './unsupported.ts'

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
    refuseDaemon('rebase', inputs)
    const runImage = inputs.deprecatedRunImage || inputs.runImage
    const { previousImage } = inputs
    say('debug', 'Ensuring privileges...')
    const { openImages } = await import('./images.ts')
    const known = [image, ...tags, previousImage, runImage].filter((name) => name !== '')
    await using images = await openImages(inputs, env, emit, known)
    await dropPrivileges(inputs.uid, inputs.gid, [])
    say('debug', 'Executing command...')
    const { report } = await act('rebase', () =>
      rebase(
        {
          images: [image, ...tags],
          force: inputs.forceRebase,
          ...(previousImage === '' ? {} : { previousImage }),
          ...(runImage === '' ? {} : { runImage }),
        },
        { emit, platformApi, images },
      ),
    )
    await inStep(emit, 'rebase', 'write report.toml', () =>
      writeFile(root, inputs.reportPath, 'rebase report', writeReport(report), EXIT_CODES.rebase),
    )
  },
}

export const run = commandProgram(rebaser)

function rebaserFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'force'),
    ...since(platformApi, '0.11', 'previous-image'),
    ...(['daemon', 'gid', 'image', 'report', 'run-image', 'uid'] as const),
  ]
}
