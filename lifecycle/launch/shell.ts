import type { ChosenProcess } from './process.ts'

/** The shell through which processes that are not direct are started. */
export const SHELL = '/bin/bash'

/**
 * LX-3: the arguments of the shell. It sources the profile scripts, goes to the working directory, and replaces itself
 * with a shell that evaluates the command: as a script where it has no arguments, else word by word.
 * @param self how the launcher was called: `$0` of the profile scripts
 */
export function shellArguments(
  process: ChosenProcess,
  shell: { readonly self: string; readonly profiles: readonly string[]; readonly directory: string },
): string[] {
  const sources = shell.profiles.map((path) => `source "${path}"\n`)
  const start = process.args.length === 0 ? 'exec bash -c "$@"' : evaluateWords(process.args.length + 1)
  const script = [...sources, `cd "${shell.directory}"\n`, start].join('')
  return ['bash', '-c', script, shell.self, process.command.join(' '), ...process.args]
}

/** Each word goes through the shell once more, so that variables expand, and stays one word. */
function evaluateWords(count: number): string {
  const words = Array.from({ length: count }, (_, i) => (i === 0 ? '$0' : `\${${i}}`))
  return `exec bash -c '${words.map((word) => `"$(eval echo \\"${word}\\")"`).join(' ')}' "\${@:1}"`
}
