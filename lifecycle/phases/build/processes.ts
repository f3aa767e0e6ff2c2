import type { DeclaredProcess, Process } from '../../../spec/files/process.ts'

/** The processes of the buildpacks so far, by type, and which one is the default. */
export interface Processes {
  readonly byType: ReadonlyMap<string, Process>
  readonly defaultType?: string
}

export const NO_PROCESSES: Processes = { byType: new Map() }

/**
 * Adds the processes of one buildpack (cnb-spec PR-2): a type is replaced, the last default wins, and a default that is
 * replaced by a process that is none leaves no default.
 * @returns also the warning for that case.
 */
export function addProcesses(
  before: Processes,
  added: readonly DeclaredProcess[],
): { readonly processes: Processes; readonly warning?: string } {
  const byType = new Map(before.byType)
  let { defaultType } = before
  let warning: string | undefined
  for (const { default: isDefault, ...process } of added) {
    if (isDefault) {
      defaultType = process.type
      warning = undefined
    } else if (process.type === defaultType) {
      defaultType = undefined
      warning = `Warning: redefining the following default process type with a process not marked as default: ${process.type}\n`
    }
    byType.set(process.type, process)
  }
  return {
    processes: { byType, ...(defaultType === undefined ? {} : { defaultType }) },
    ...(warning === undefined ? {} : { warning }),
  }
}
