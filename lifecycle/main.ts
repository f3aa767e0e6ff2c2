import '../native/restore-environment.ts'
import type { CommandProgram } from './commands/command.ts'

/**
 * The lifecycle: one program under many names (cnb-spec C-1). It is the phase that it was called as (`/cnb/lifecycle/detector`,
 * a link) or that its first argument names (`lifecycle detect`). Only that phase's modules are loaded:
 * each of the commands below is bundled into a file of its own (builders/package/bundle.mjs).
 */

type Load = () => Promise<{ readonly run: CommandProgram }>

const COMMANDS: Readonly<Record<string, Load>> = {
  analyzer: () => import('./commands/analyzer.ts'),
  detector: () => import('./commands/detector.ts'),
  restorer: () => import('./commands/restorer.ts'),
  builder: () => import('./commands/builder.ts'),
  exporter: () => import('./commands/exporter.ts'),
  creator: () => import('./commands/creator.ts'),
  extender: () => import('./commands/extender.ts'),
  rebaser: () => import('./commands/rebaser.ts'),
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
  const command = await COMMANDS[name]?.()
  if (command === undefined) return unknown(name)
  return command.run({ calledAs, args, env: process.env, phaseHeadings: name === 'creator' })
}

/** V-13: only here without a Platform API. */
async function version(): Promise<number> {
  const { VERSION } = await import('./commands/version.ts')
  process.stdout.write(`${VERSION}\n`)
  return 0
}

async function unknown(subcommand: string | undefined): Promise<number> {
  const { runUnknownPhase } = await import('./commands/unknown-phase.ts')
  return runUnknownPhase(subcommand, Object.keys(SUBCOMMANDS), process.env)
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
