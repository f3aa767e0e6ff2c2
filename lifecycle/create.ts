import type { Runner } from '../core/runner.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Report } from '../spec/files/report.ts'
import type { Cache } from './cache/cache.ts'
import { runCreator } from './commands/creator.ts'
import { Failure } from './commands/failure.ts'
import { readRun } from './commands/files.ts'
import { type Inputs, inputsFromEnvironment, resolvePaths } from './commands/inputs.ts'
import type { ImageAccess, PhaseContext } from './context.ts'
import type { KeptLayers } from './phases/restore.ts'

/** What `create` is told beyond what stands in the builder. Names of images are as the user wrote them. */
export interface CreateInputs {
  /** The image to be built, then its further names. */
  readonly images: readonly [string, ...string[]]
  /** Who owns the files in the layers: the builder image's CNB_USER_ID and CNB_GROUP_ID. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Default: the image to be built. */
  readonly previousImage?: string
  /** Default: chosen from the builder's run.toml. */
  readonly runImage?: string
  /** Default: the buildpacks' default process. */
  readonly processType?: string
  /** CNB_EXEC_ENV. Default: `production`. */
  readonly execEnv?: string
  /** Restores store.toml alone. Default false. */
  readonly skipRestore?: boolean
  /** Reads every layer again, also one that nobody touched since it was last read. Default false. */
  readonly verify?: boolean
  /** Of new layers: `gzip`, `zstd`, or either with a level, `zstd:6`. Default: `gzip`. */
  readonly compression?: string
  /** Seconds since 1970 for the image's `created`. */
  readonly sourceDateEpoch?: string
  /** Milliseconds; 0 means for ever. Defaults: 10 minutes for a bin/detect, none for a bin/build. */
  readonly timeouts?: { readonly detect?: number; readonly build?: number }
}

export interface CreateContext extends PhaseContext {
  readonly images: ImageAccess
  readonly runner: Runner
  readonly cache?: Cache
  readonly kept?: KeptLayers
}

export interface Created {
  /** Of the manifest. */
  readonly digest: Digest
  readonly report: Report
}

/**
 * The whole of a build in one process (platform spec, creator): analyze, detect, restore, build, export. What the spec
 * gives a place is where the spec puts it (`/workspace`, `/layers`, `/platform`, `/cnb`); the files between the phases
 * are written too, so that a build can be looked at afterwards.
 * @throws SlipwayError with the exit code of the phase that failed
 */
export async function create(inputs: CreateInputs, context: CreateContext): Promise<Created> {
  const { root, emit, platformApi, images, runner, cache, kept } = context
  const step = {
    inputs: resolvePaths(asInputs(inputs), (path) => root.stat(path) !== undefined),
    platformApi,
    root,
    emit,
    say: (level: string, message: string) =>
      emit({ type: level === 'warn' ? 'warning' : level === 'debug' ? 'debug' : 'info', message }),
  }
  try {
    const run = await readRun(root, step.inputs, platformApi, step.say)
    const report = await runCreator(step, inputs.images[0], run, {
      images,
      cacheImages: images,
      runner,
      cache,
      kept,
    })
    return { digest: parseDigest(report.image.digest ?? ''), report }
  } catch (error) {
    throw error instanceof Failure ? error.error : error
  }
}

function asInputs(inputs: CreateInputs): Inputs {
  const [, ...tags] = inputs.images
  const defaults = inputsFromEnvironment({})
  return {
    ...defaults,
    tags,
    uid: inputs.owner.uid,
    gid: inputs.owner.gid,
    previousImage: inputs.previousImage ?? '',
    runImage: inputs.runImage ?? '',
    processType: inputs.processType ?? '',
    execEnv: inputs.execEnv ?? defaults.execEnv,
    skipLayers: inputs.skipRestore ?? false,
    verify: inputs.verify ?? false,
    compression: inputs.compression ?? defaults.compression,
    sourceDateEpoch: inputs.sourceDateEpoch ?? '',
    // Outside of a container the files that a program leaves are read while no other program runs: one that still runs
    // could lead the reader out of the root (core/root.ts).
    detectConcurrency: 1,
    detectTimeout: inputs.timeouts?.detect ?? defaults.detectTimeout,
    buildTimeout: inputs.timeouts?.build ?? defaults.buildTimeout,
  }
}
