import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import type { Lifecycle } from './lifecycles.ts'

/** What figures were measured on and with, for people. */
export function machine(lifecycles: readonly Lifecycle[]): readonly string[] {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  return [
    `Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory}, ${system}, Linux ${release()}.`,
    `Node ${process.version}, zlib ${process.versions.zlib}; ${firstLine('docker-registry', '--version')}; ${firstLine('pigz', '--version')}.`,
    ...lifecycles.map(({ name, version }) =>
      name === 'ours' ? `Ours: ${version}, packaged.` : `Reference: the Go lifecycle ${version}.`,
    ),
  ]
}

function firstLine(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8' }).split('\n', 1)[0]?.trim() ?? ''
  } catch (cause) {
    throw new Error(`${program} is needed: install the package ${program}`, { cause })
  }
}
