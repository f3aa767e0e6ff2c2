import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import { type Program, readProgram } from '../program.ts'
import { buildCommand } from './build.ts'
import { failureExitCode, failureLines } from './failure.ts'
import { rebaseCommand } from './rebase.ts'
import { runCommand } from './run.ts'

/**
 * The `slipway` command: arguments and rendering only. Exit codes: 0, the failing phase's own (cnb-spec §2.1), 2 for
 * arguments that are wrong, 130 and 143 after SIGINT and SIGTERM.
 */
async function main(args: readonly string[]): Promise<number> {
  const program = readProgram(fileURLToPath(new URL('.', import.meta.url)))
  const command = commands(program)
  try {
    await command.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const verbose = args.includes('-v') || args.includes('--verbose')
    process.stderr.write(`${failureLines(error, verbose).join('\n')}\n`)
    return failureExitCode(error)
  }
}

function commands(program: Program): Command {
  const command = new Command('slipway')
    .description('Source in, OCI image out: Cloud Native Buildpacks with no daemon and no root.')
    .version(program.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('Run slipway --help for usage.')
    .exitOverride()
  for (const sub of [buildCommand(program), runCommand(program), rebaseCommand(program)]) {
    command.addCommand(sub.copyInheritedSettings(command))
  }
  return command
}

// What is written for a layer has the same modes whatever the caller's umask is.
process.umask(0o022)
process.exitCode = await main(process.argv.slice(2))
