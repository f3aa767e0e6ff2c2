import type { ContainerPath } from './container-path.ts'

/** One program of a buildpack, as the container sees it. */
export interface RunSpec {
  readonly program: ContainerPath
  readonly args: readonly string[]
  readonly cwd: ContainerPath
  /** The whole environment of the program: a runner adds nothing. Start from {@link Runner.baseEnvironment}. */
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds after which the program and everything it started is ended; none when absent. */
  readonly timeout?: number
}

export type OutputStream = 'stdout' | 'stderr'

/** Chunks in the order they arrived, as the bytes they are. */
export type OnOutput = (chunk: Uint8Array, stream: OutputStream) => void

export type RunStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'timed-out'; readonly after: number }

/**
 * Where buildpacks' programs run: directly (inside a container), in namespaces (a laptop), in a container engine.
 * It owns mounts, uid, umask (022), limits, time-outs and the final kill: when `run` settles nothing of the program runs.
 */
export interface Runner {
  /** The environment of the build image, not of this process. */
  readonly baseEnvironment: Readonly<Record<string, string>>
  /**
   * Runs a program to its end.
   * @throws SlipwayError when it could not be started (`RUNNER_…`, `SANDBOX_…`); a status, not an error, when it failed.
   */
  run(spec: RunSpec, onOutput: OnOutput): Promise<RunStatus>
}
