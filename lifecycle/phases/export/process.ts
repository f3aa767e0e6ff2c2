import { SlipwayError } from '../../../core/error.ts'
import { LAUNCHER_PATH, PROCESS_DIR } from '../../../spec/environment.ts'
import type { BuildMetadata } from '../../../spec/files/metadata.ts'
import { fileNameOf, parseProcessType } from '../../../spec/names.ts'

/** The process that starts when nobody names one. */
export interface DefaultProcess {
  /** Undefined: none, the launcher itself is the entrypoint. */
  readonly type: string | undefined
  readonly entrypoint: string
}

/**
 * The entrypoint of the image (cnb-spec CF-3): the asked-for process, else the buildpacks' default, else the launcher.
 * @throws SlipwayError `EXPORT_PROCESS_UNKNOWN`
 */
export function defaultProcess(metadata: BuildMetadata, asked: string | undefined): DefaultProcess {
  const types = metadata.processes.map(({ type }) => type)
  if (asked !== undefined && asked !== '' && !types.includes(asked)) {
    throw new SlipwayError(
      'EXPORT_PROCESS_UNKNOWN',
      `tried to set ${asked} to default but it doesn't exist`,
      {
        subject: asked,
        hint: types.length === 0 ? 'This app has no processes.' : `This app has ${types.join(', ')}.`,
        class: 'usage',
      },
    )
  }
  const type = asked === undefined || asked === '' ? metadata.defaultProcessType : asked
  return {
    type,
    entrypoint: type === undefined ? LAUNCHER_PATH : `${PROCESS_DIR}/${fileNameOf(parseProcessType(type))}`,
  }
}
