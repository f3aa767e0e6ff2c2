import type { Command } from './commands/command.ts'

/**
 * The lifecycle: one program under many names (cnb-spec C-1). It is the phase that it was called as (`/cnb/lifecycle/detector`,
 * a link) or that its first argument names (`lifecycle detect`). Only that phase's modules are loaded.
 */

type Load = () => Promise<Command>

const COMMANDS: Readonly<Record<string, Load>> = {
  analyzer: async () => (await import('./commands/analyzer.ts')).analyzer,
  detector: async () => (await import('./commands/detector.ts')).detector,
  restorer: async () => (await import('./commands/restorer.ts')).restorer,
  builder: async () => (await import('./commands/builder.ts')).builder,
  exporter: async () => (await import('./commands/exporter.ts')).exporter,
  creator: async () => (await import('./commands/creator.ts')).creator,
  extender: async () => (await import('./commands/extender.ts')).extender,
  rebaser: async () => (await import('./commands/rebaser.ts')).rebaser,
}

const SUBCOMMANDS: Readonly<Record<string, string>> = {
  analyze: 'analyzer',
  detect: 'detector',
  restore: 'restorer',
  build: 'builder',
  export: 'exporter',
  create: 'creator',
  extend: 'extender',
  rebase: 'rebaser',
}

async function main(): Promise<number> {
  const [, , ...args] = process.argv
  const called = baseName(process.argv0)
  if (Object.hasOwn(COMMANDS, called)) return run(called, called, args)
  const [subcommand, ...rest] = args
  if (subcommand === '-version') return version()
  const name = SUBCOMMANDS[baseName(subcommand ?? '')]
  if (subcommand !== undefined && name !== undefined) return run(name, subcommand, rest)
  return unknown(subcommand)
}

async function run(name: string, calledAs: string, args: readonly string[]): Promise<number> {
  const { runCommand } = await import('./commands/command.ts')
  const command = await COMMANDS[name]?.()
  if (command === undefined) return unknown(name)
  return runCommand(command, { calledAs, args, env: process.env, phaseHeadings: name === 'creator' })
}

/** V-13: only here without a Platform API. */
async function version(): Promise<number> {
  const { VERSION } = await import('./commands/version.ts')
  process.stdout.write(`${VERSION}\n`)
  return 0
}

async function unknown(subcommand: string | undefined): Promise<number> {
  const { runCommand } = await import('./commands/command.ts')
  const { unknownPhase } = await import('./commands/unknown-phase.ts')
  return runCommand(unknownPhase(subcommand, Object.keys(SUBCOMMANDS)), {
    calledAs: subcommand ?? 'lifecycle',
    args: [],
    env: process.env,
  })
}

/** The last component without an extension: `/cnb/lifecycle/detector` → `detector`. */
function baseName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  return dot < 0 ? name : name.slice(0, dot)
}

// Everything has been written by then: a connection that is kept open must not keep the process.
// A signal that came meanwhile has set the exit code.
main().then((code) => process.exit(process.exitCode ?? code))
