import { goJson } from '../../core/go-json.ts'
import { type ApiVersion, isAtLeast } from '../api-version.ts'
import type { Reader } from '../decode.ts'
import { type ProcessType, parseProcessType } from '../names.ts'
import { struct, type TomlStruct, TomlText } from '../toml/write.ts'
import { optional, someOrAbsent } from './source.ts'

/** A process of an image, whatever the API it was written for. */
export interface Process {
  readonly type: string
  /** The program and the arguments that it always gets; empty only where a file says so. */
  readonly command: readonly string[]
  /** Arguments; for a buildpack of API 0.9 or later those that a user replaces. Absent is not the same as empty in labels. */
  readonly args?: readonly string[]
  /** Without a shell. */
  readonly direct: boolean
  /** The buildpack it came from; empty in a file that does not say. */
  readonly buildpackId: string
  /** Absent: the app directory. */
  readonly workingDirectory?: string
  /** Execution environments it is for; absent: all. */
  readonly execEnv?: readonly string[]
}

/** A process as a buildpack declares it, which may be the default one. */
export interface DeclaredProcess extends Process {
  readonly default: boolean
}

/** Reads a process of metadata.toml or of a label; the command may be a string or an array under every API. */
export function readProcess(table: Reader, buildpackKey: 'buildpack-id' | 'buildpackID'): Process {
  const command = table.value('command')
  return {
    type: table.text('type'),
    command: typeof command === 'string' ? [command] : (table.strings('command') ?? []),
    ...optional('args', table.strings('args')),
    direct: table.flag('direct'),
    buildpackId: table.text(buildpackKey),
    ...readPlace(table),
  }
}

/** What the options of a process table are read alike in every file. */
export function readPlace(table: Reader): Pick<Process, 'workingDirectory' | 'execEnv'> {
  return {
    ...optional('workingDirectory', table.text('working-dir') || undefined),
    ...optional('execEnv', someOrAbsent(table.strings('exec-env'))),
  }
}

/**
 * A process in the form that a Platform API has: before 0.10 the command is one string, and the rest of it stands
 * before the arguments (cnb-spec PR-4).
 */
export function processFor(process: Process, platformApi: ApiVersion): Process {
  if (isAtLeast(platformApi, '0.10') || process.command.length === 0) return process
  const [program = '', ...always] = process.command
  return { ...process, command: [program], args: [...always, ...(process.args ?? [])] }
}

export function processStruct(process: Process, platformApi: ApiVersion): TomlStruct {
  const { command, args, ...rest } = processFor(process, platformApi)
  return struct({
    type: rest.type,
    command: commandText(command, platformApi),
    args,
    direct: rest.direct,
    'buildpack-id': rest.buildpackId,
    'working-dir': rest.workingDirectory,
    'exec-env': someOrAbsent(rest.execEnv),
  })
}

/**
 * The reference writes the command with Go's JSON encoder (`&` becomes `\u0026`): the same value in other bytes, and
 * the bytes are those of the image's config layer.
 */
function commandText(command: readonly string[], platformApi: ApiVersion): TomlText {
  const entries = command.map((entry) => goJson(entry).replaceAll('\x7f', '\\u007f'))
  return new TomlText(isAtLeast(platformApi, '0.10') ? `[${entries.join(', ')}]` : (entries[0] ?? '""'))
}

/** Checks a process type where it is about to become a path. @throws SlipwayError `SPEC_NAME_INVALID` */
export function processTypeOf(process: Process): ProcessType {
  return parseProcessType(process.type)
}
