import type { ContainerPath } from '../../core/container-path.ts'
import type { Emit, Phase } from '../../core/event.ts'
import { processRoot, type Root } from '../../core/root.ts'
import { type ApiVersion, negotiatePlatformApi } from '../../spec/api-version.ts'
import { ENV } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Say } from '../log/reference-log.ts'
import { isTraced } from '../telemetry/is-traced.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { requireExecEnv } from './exec-env.ts'
import { act } from './failure.ts'
import { parseFlags, usageText } from './flags.ts'
import {
  checkDurations,
  type FlagName,
  flagDefinitions,
  type Inputs,
  inputsFromEnvironment,
  resolvePaths,
  type Variables,
  withFlags,
} from './inputs.ts'
import { type CommandLog, commandLog } from './output.ts'
import { endOnSignals } from './signals.ts'
import { VERSION } from './version.ts'

/** One of the lifecycle's binaries. */
export interface Command {
  /** As it is called: `detector`. */
  readonly name: string
  /** The phase that it is; absent where it is several, or none. */
  readonly phase?: Phase
  /** The flags that a Platform API has, beside those that every command has. */
  flags(platformApi: ApiVersion): readonly FlagName[]
  /** @throws Failure */
  run(context: CommandContext): Promise<void>
}

/** What reading a phase's files, running it and writing its files needs. */
export interface StepContext {
  readonly inputs: Inputs
  readonly platformApi: ApiVersion
  readonly root: Root
  readonly emit: Emit
  readonly say: Say
}

export interface CommandContext extends StepContext {
  readonly positionals: readonly string[]
  /** This process's environment. */
  readonly env: Variables
}

/** What a process is started with, and where it writes. */
export interface Invocation {
  /** As it was called: `detector`, or `detect` of `lifecycle detect`. */
  readonly calledAs: string
  readonly args: readonly string[]
  readonly env: Variables
  /** `===> DETECTING` before each phase, as only the creator says. */
  readonly phaseHeadings?: boolean
}

const COMMON_FLAGS: readonly FlagName[] = ['log-format', 'log-level', 'no-color', 'version']

/** A command as a program: what main.ts starts, from a module that is bundled into a file of its own. */
export type CommandProgram = (invocation: Invocation) => Promise<number>

export function commandProgram(command: Command): CommandProgram {
  return (invocation) => runCommand(command, invocation)
}

/** Runs a command from its arguments to its exit code (cnb-spec §2.0). */
export async function runCommand(command: Command, invocation: Invocation): Promise<number> {
  const early = earlyLog(command, invocation.env)
  try {
    // Umask and API come before everything else: what a buildpack sees and what flags there are depends on them.
    process.umask(0o022)
    endOnSignals()
    const { env } = invocation
    const platformApi = await act('set platform API', () => negotiatePlatformApi(env[ENV.platformApi]))
    const parsed = parseInvocation(command, platformApi, invocation)
    if (typeof parsed === 'number') return parsed
    if (parsed.inputs.version) {
      early.say('info', VERSION)
      return EXIT_CODES.success
    }
    return await runParsed(command, { ...parsed, platformApi, env }, invocation)
  } catch (error) {
    return early.fail(error)
  }
}

/** For what goes wrong before flags are known. A word in the environment that means nothing must not keep it from speaking. */
function earlyLog({ phase }: Command, env: Variables): CommandLog {
  const { noColor, logFormat } = inputsFromEnvironment(env)
  const format = logFormat === 'json' ? 'json' : 'text'
  return commandLog({ ...inputsFromEnvironment({}), noColor, logFormat: format }, { phase })
}

interface Parsed {
  readonly inputs: Inputs
  readonly positionals: readonly string[]
}

/** Flags over environment over defaults; a number is the exit code where there is nothing to be run. */
function parseInvocation(
  command: Command,
  platformApi: ApiVersion,
  { args, env }: Invocation,
): Parsed | number {
  const defaults = inputsFromEnvironment(env)
  const definitions = flagDefinitions([...command.flags(platformApi), ...COMMON_FLAGS], defaults)
  const flags = parseFlags(definitions, args)
  if (flags.kind === 'parsed') {
    return { inputs: withFlags(defaults, flags.values), positionals: flags.positionals }
  }
  const message = flags.kind === 'help' ? '' : `${flags.message}\n`
  process.stderr.write(message + usageText(definitions))
  return flags.kind === 'help' ? EXIT_CODES.success : EXIT_CODES.usage
}

async function runParsed(
  command: Command,
  parsed: Parsed & { readonly platformApi: ApiVersion; readonly env: Variables },
  { calledAs, phaseHeadings = false }: Invocation,
): Promise<number> {
  const telemetry = await traced(command, parsed)
  const log = commandLog(parsed.inputs, {
    phase: command.phase,
    phaseHeadings,
    listeners: telemetry === undefined ? [] : [telemetry.listener],
  })
  try {
    for (const argument of parsed.positionals) {
      if (argument.startsWith('-')) log.say('warn', flagLike(argument))
    }
    log.say('debug', `Starting ${calledAs}...`)
    log.say('debug', 'Parsing inputs...')
    await act('parse arguments', () => checkDurations(parsed.env))
    const root = processRoot()
    const inputs = resolvePaths(parsed.inputs, (path) => isThere(root, path))
    requireExecEnv(inputs, parsed.platformApi)
    await command.run({ ...parsed, inputs, root, emit: log.emit, say: log.say })
    return EXIT_CODES.success
  } catch (error) {
    return log.fail(error)
  } finally {
    for (const warning of (await telemetry?.finish()) ?? []) log.say('warn', warning)
  }
}

/** Tracing, where the environment asks for it; nobody else pays for loading it. */
async function traced(
  command: Command,
  { inputs, platformApi, env }: Parsed & { readonly platformApi: ApiVersion; readonly env: Variables },
): Promise<Telemetry | undefined> {
  if (!isTraced(env)) return undefined
  const { startTelemetry } = await import('../telemetry/telemetry.ts')
  const hasLayers = command.flags(platformApi).includes('layers')
  return startTelemetry({
    service: 'lifecycle',
    version: VERSION,
    env,
    ...(hasLayers && { layers: inputs.layersDir }),
  })
}

/** What may not be looked for is not there; whoever reads beside it says why. */
function isThere(root: Root, path: ContainerPath): boolean {
  try {
    return root.stat(path) !== undefined
  } catch {
    return false
  }
}

function flagLike(argument: string): string {
  return `Warning: unconsumed flag-like positional arg: \n\t${argument}\n\t This will not be interpreted as a flag.\n\t Did you mean to put this before the first positional argument?`
}
