import { SlipwayError } from '../../core/error.ts'
import { type ApiVersion, isAtLeast, parseApiVersion } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Process } from '../../spec/files/process.ts'
import type { LaunchMetadata } from './metadata.ts'

/** A process as it will be started: a program, all of its arguments, and whether a shell stands between. */
export interface ChosenProcess {
  /** Empty for a command that the user gave. */
  readonly type: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly direct: boolean
  /** Empty where no buildpack gave it. */
  readonly buildpackId: string
  /** Empty: the app directory. */
  readonly workingDirectory: string
}

export interface ProcessChoice {
  readonly platformApi: ApiVersion
  /** The name that the launcher was started by, without its directory. */
  readonly name: string
  readonly userArgs: readonly string[]
  readonly execEnv: string
}

/**
 * LN-1 to LN-3: the process that the launcher was started as, or the user's own command.
 * @throws SlipwayError `LAUNCH_NO_COMMAND`, `LAUNCH_PROCESS_UNKNOWN`, `LAUNCH_BUILDPACK_UNKNOWN` with exit code 82
 */
export function chooseProcess(metadata: LaunchMetadata, choice: ProcessChoice): ChosenProcess {
  const ofType = metadata.processes.filter(({ type }) => type !== '' && type === choice.name)
  if (ofType.length === 0) return userProcess(choice.userArgs)
  const process = ofType.find((candidate) => isEligible(candidate, choice))
  if (process === undefined) {
    throw launchError('LAUNCH_PROCESS_UNKNOWN', `process type ${choice.name} was not found`, choice.name)
  }
  return withUserArgs(process, metadata, choice)
}

function userProcess(userArgs: readonly string[]): ChosenProcess {
  const direct = userArgs.length > 1 && userArgs[0] === '--'
  const [program, ...args] = direct ? userArgs.slice(1) : userArgs
  if (program === undefined) {
    throw launchError('LAUNCH_NO_COMMAND', 'when there is no default process a command is required')
  }
  return { type: '', command: [program], args, direct, buildpackId: '', workingDirectory: '' }
}

/** LN-2: from Platform API 0.15 on a process may be for certain execution environments. */
function isEligible(process: Process, { platformApi, execEnv }: ProcessChoice): boolean {
  const environments = process.execEnv ?? []
  if (!isAtLeast(platformApi, '0.15') || environments.length === 0) return true
  return environments.includes('*') || environments.includes(execEnv)
}

/** LN-3 */
function withUserArgs(
  process: Process,
  metadata: LaunchMetadata,
  { platformApi, userArgs }: ProcessChoice,
): ChosenProcess {
  const { type, command, args = [], direct, buildpackId, workingDirectory = '' } = process
  const chosen = { type, command, args, direct, buildpackId, workingDirectory }
  if (!isAtLeast(platformApi, '0.10')) return { ...chosen, args: [...args, ...userArgs] }
  if (command.length > 1) {
    // Only a newer buildpack can have written that: what stands behind the program is always passed.
    const overridable = userArgs.length > 0 ? userArgs : args
    return { ...chosen, command: command.slice(0, 1), args: [...command.slice(1), ...overridable] }
  }
  if (userArgs.length === 0) return chosen
  const isOverridable = isAtLeast(apiOf(process, metadata), '0.9')
  return { ...chosen, args: isOverridable ? userArgs : [...args, ...userArgs] }
}

function apiOf({ type, buildpackId }: Process, metadata: LaunchMetadata): ApiVersion {
  const buildpack = metadata.buildpacks.find(({ id }) => id === buildpackId)
  if (buildpack !== undefined) return parseApiVersion(buildpack.api)
  throw launchError(
    'LAUNCH_BUILDPACK_UNKNOWN',
    `failed to find buildpack for process ${type} with buildpack ID ${buildpackId}`,
    type,
  )
}

/** A failure before the process was started. */
export function launchError(
  code: `LAUNCH_${Uppercase<string>}`,
  message: string,
  subject?: string,
): SlipwayError {
  return new SlipwayError(code, message, {
    exitCode: EXIT_CODES.launch,
    class: 'user',
    ...(subject === undefined ? {} : { subject }),
  })
}
