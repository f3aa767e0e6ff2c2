/** Sources of each program, the one with `main` first. */
export const PROGRAMS: Readonly<Record<'launcher' | 'starter' | 'sandbox', readonly string[]>>
export const ARCHITECTURES: Readonly<Record<'amd64' | 'arm64', string>>
/** Compiler flags that say how the sources are written. */
export const WARNINGS: readonly string[]
export function build(options: {
  readonly output: string
  readonly cache: string
  readonly sources?: string
}): void
