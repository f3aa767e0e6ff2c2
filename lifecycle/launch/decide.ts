/**
 * The launcher's decisions as a pure model (platform spec, launcher; cnb-spec §7): the oracle that the native launcher is
 * compared with. All texts are bytes held as latin1 strings.
 */
import { SlipwayError } from '../../core/error.ts'
import { negotiateBuildpackApi, negotiatePlatformApi } from '../../spec/api-version.ts'
import { DEFAULT_EXEC_ENV, ENV } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { parseExecDOutput } from '../../spec/files/exec-d.ts'
import { fileNameOf, nameOfFile } from '../../spec/names.ts'
import type { Environment } from '../environment/variables.ts'
import { applyLaunchLayers, containerEnvironment, layerFiles } from './environment.ts'
import { entriesOf, fileAt, type LaunchFiles, within } from './files.ts'
import { type LaunchMetadata, readLaunchMetadata } from './metadata.ts'
import { type ChosenProcess, chooseProcess, launchError } from './process.ts'
import { SHELL, shellArguments } from './shell.ts'

export interface LaunchInputs {
  /** How the launcher was called, `argv[0]` first. */
  readonly argv: readonly string[]
  /** The container's environment: `NAME=value`. */
  readonly environ: readonly string[]
  /** Where the launcher was started. */
  readonly cwd: string
  readonly files: LaunchFiles
  /**
   * What an exec.d program writes to descriptor 3, run in the app directory with these variables; undefined where it fails.
   */
  readonly runExecD: (program: string, environment: Environment) => string | undefined
}

/** What the launcher becomes. */
export interface LaunchDecision {
  readonly program: string
  readonly argv: readonly string[]
  readonly env: Environment
  readonly cwd: string
  /** exec.d programs that ran, in order. */
  readonly execD: readonly string[]
  /** Scripts that the shell sources; none where there is no shell. */
  readonly profiles: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * Decides what runs.
 * @throws SlipwayError with the launcher's exit code: 11 and 12 for APIs, 1 for unreadable metadata, 82 for the rest
 */
export function decideLaunch(inputs: LaunchInputs): LaunchDecision {
  const { argv, files } = inputs
  const variable = (name: string) =>
    inputs.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  const platformApi = negotiatePlatformApi(variable(ENV.platformApi))
  const layersDir = within(inputs.cwd, variable(ENV.layersDir) || '/layers')
  const appDir = within(inputs.cwd, variable(ENV.appDir) || '/workspace')
  const metadata = readMetadata(files, `${layersDir}/config/metadata.toml`)
  for (const { id, api } of metadata.buildpacks) negotiateBuildpackApi(api, 'buildpack', id)

  const self = argv[0] ?? 'launcher'
  const process = chooseProcess(metadata, {
    platformApi,
    name: self.slice(self.lastIndexOf('/') + 1),
    userArgs: argv.slice(1),
    execEnv: variable(ENV.execEnv) || DEFAULT_EXEC_ENV,
  })
  requireDirectory(files, appDir)

  const layers = metadata.buildpacks.map(({ id }) => layersOfBuildpack(files, layersDir, id))
  const fromLayers = layers.reduce(
    (before, ofBuildpack) => applyLaunchLayers(before, ofBuildpack, process.type, files),
    containerEnvironment(inputs.environ),
  )
  const execD = layerFiles(layers.flat(), 'exec.d', process.type, files)
  const env = execD.reduce((before, program) => applyExecD(before, program, inputs), fromLayers)
  const common = { env, execD, warnings: warningsFor(variable(ENV.processType), variable(ENV.platformApi)) }
  if (process.direct) return { ...common, ...direct(process, env, appDir, files), profiles: [] }
  requireKnownBuildpack(process, metadata)
  const profiles = [
    ...layerFiles(layers.flat(), 'profile.d', process.type, files),
    ...appProfile(files, appDir),
  ]
  const directory = process.workingDirectory || appDir
  return {
    ...common,
    program: SHELL,
    argv: shellArguments(process, { self, profiles, directory }),
    cwd: appDir,
    profiles,
  }
}

/** Reads metadata.toml and turns its texts into bytes. */
function readMetadata(files: LaunchFiles, path: string): LaunchMetadata {
  const file = fileAt(files, path)
  const text = file?.kind === 'file' ? decodeUtf8(file.content) : undefined
  if (text === undefined) {
    throw new SlipwayError('LAUNCH_METADATA_UNREADABLE', `failed to read metadata: ${path}`, {
      subject: path,
      exitCode: EXIT_CODES.generic,
    })
  }
  const { processes, buildpacks } = readLaunchMetadata(text, path)
  return {
    buildpacks: buildpacks.map(({ id, api }) => ({ id: fileNameOf(id), api })),
    processes: processes.map((process) => ({
      ...process,
      type: fileNameOf(process.type),
      command: process.command.map(fileNameOf),
      ...(process.args === undefined ? {} : { args: process.args.map(fileNameOf) }),
      buildpackId: fileNameOf(process.buildpackId),
      ...(process.workingDirectory === undefined
        ? {}
        : { workingDirectory: fileNameOf(process.workingDirectory) }),
      ...(process.execEnv === undefined ? {} : { execEnv: process.execEnv.map(fileNameOf) }),
    })),
  }
}

function decodeUtf8(bytes: string): string | undefined {
  const text = nameOfFile(bytes)
  return fileNameOf(text) === bytes ? text : undefined
}

function layersOfBuildpack(files: LaunchFiles, layersDir: string, id: string): readonly string[] {
  return entriesOf(files, within(layersDir, id.replaceAll('/', '_')))
    .filter(({ isDirectory }) => isDirectory)
    .map(({ path }) => path)
}

function applyExecD(before: Environment, program: string, { runExecD }: LaunchInputs): Environment {
  const output = runExecD(program, before)
  const text = output === undefined ? undefined : decodeUtf8(output)
  if (text === undefined) {
    throw launchError('LAUNCH_EXEC_D_FAILED', `failed to execute exec.d file at path '${program}'`, program)
  }
  const after = new Map(before)
  for (const [name, value] of readOutput(text, program)) after.set(fileNameOf(name), fileNameOf(value))
  return after
}

function readOutput(text: string, program: string): ReadonlyMap<string, string> {
  try {
    return parseExecDOutput(text, { file: program })
  } catch (error) {
    throw error instanceof SlipwayError ? error.withExitCode(EXIT_CODES.launch) : error
  }
}

/** LX-2: the program is looked up in the final PATH from the app directory, before the process goes to its own. */
function direct(process: ChosenProcess, env: Environment, appDir: string, files: LaunchFiles) {
  const [program] = process.command
  if (program === undefined) {
    throw launchError('LAUNCH_NO_COMMAND', `no command provided for process type "${process.type}"`)
  }
  const found = lookUp(program, env.get('PATH') ?? '', appDir, files)
  const cwd = within(appDir, process.workingDirectory || appDir)
  requireDirectory(files, cwd)
  return { program: found, argv: [...process.command, ...process.args], cwd }
}

function lookUp(program: string, path: string, appDir: string, files: LaunchFiles): string {
  const isProgram = (name: string) => {
    const file = fileAt(files, within(appDir, name))
    return file?.kind === 'file' && file.executable
  }
  if (program.includes('/')) {
    if (isProgram(program)) return program
  } else if (program !== '' && path !== '') {
    const found = path
      .split(':')
      .map((directory) => joined(directory, program))
      .find(isProgram)
    // As Go since 1.19: what stands first in the path decides, and a relative directory is refused.
    if (found?.startsWith('/')) return found
  }
  throw launchError('LAUNCH_PROGRAM_NOT_FOUND', `path lookup: exec: "${program}" not found`, program)
}

function joined(directory: string, program: string): string {
  if (directory === '') return program
  return directory.startsWith('/') ? within(directory, program) : `${directory}/${program}`
}

function appProfile(files: LaunchFiles, appDir: string): readonly string[] {
  return fileAt(files, `${appDir}/.profile`)?.kind === 'file' ? ['.profile'] : []
}

/** A command with arguments must come from a buildpack that the image knows, or from the user. */
function requireKnownBuildpack(process: ChosenProcess, metadata: LaunchMetadata): void {
  if (process.args.length === 0 || process.buildpackId === '') return
  if (metadata.buildpacks.some(({ id }) => id === process.buildpackId)) return
  throw launchError(
    'LAUNCH_BUILDPACK_UNKNOWN',
    `process type '${process.type}' provided by unknown buildpack '${process.buildpackId}'`,
    process.type,
  )
}

function requireDirectory(files: LaunchFiles, path: string): void {
  if (fileAt(files, path)?.kind === 'directory') return
  throw launchError('LAUNCH_DIRECTORY_MISSING', `change to directory ${path}`, path)
}

function warningsFor(type: string, platformApi: string): readonly string[] {
  if (type === '') return []
  return [
    `CNB_PROCESS_TYPE is not supported in Platform API ${platformApi}`,
    `Run with ENTRYPOINT '${type}' to invoke the '${type}' process type`,
  ]
}
