import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a layer does to one variable (buildpack spec, environment; cnb-spec §4.3). */
export interface VariableChange {
  /** Set, whatever it was. */
  readonly override?: string
  /** Set where it is unset or empty. */
  readonly default?: string
  readonly append?: string
  readonly prepend?: string
  /** Between the old value and what is appended or prepended. Default: nothing. */
  readonly delimiter?: string
}

export type EnvironmentChanges = Readonly<Record<string, VariableChange>>

/** Whom it is for: later buildpacks, the app (all processes or one), or both. */
export type EnvironmentScope = 'build' | 'launch' | 'both' | { readonly process: string }

export function environmentDirectory(layer: string, scope: EnvironmentScope): string {
  if (typeof scope === 'object') return join(layer, 'env.launch', scope.process)
  return join(layer, { build: 'env.build', launch: 'env.launch', both: 'env' }[scope])
}

/** The files of an environment directory by name. */
export function environmentFiles(changes: EnvironmentChanges): Readonly<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const [name, change] of Object.entries(changes)) {
    if (name === '' || /[./\0=]/.test(name)) throw new TypeError(`no name of a variable: ${name}`)
    for (const [suffix, value] of [
      ['override', change.override],
      ['default', change.default],
      ['append', change.append],
      ['prepend', change.prepend],
      ['delim', change.delimiter],
    ] as const) {
      if (value !== undefined) files[`${name}.${suffix}`] = value
    }
  }
  return files
}

/** Makes the directory hold exactly these files; one that is right already is not touched, so that a kept layer stays as it is. */
export async function writeEnvironment(directory: string, changes: EnvironmentChanges): Promise<void> {
  const wanted = environmentFiles(changes)
  await mkdir(directory, { recursive: true })
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (!entry.isDirectory() && !Object.hasOwn(wanted, entry.name)) await rm(join(directory, entry.name))
  for (const [name, value] of Object.entries(wanted)) {
    const path = join(directory, name)
    const found = await readFile(path, 'utf8').catch(() => undefined)
    if (found !== value) await writeFile(path, value)
  }
}
