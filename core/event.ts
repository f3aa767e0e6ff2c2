import { monotonicNow } from './clock.ts'
import type { ErrorClass } from './error.ts'
import type { OutputStream } from './runner.ts'

/**
 * What happens in a build, as data. Phases emit these synchronously and print nothing; the reference's log lines, a
 * terminal's progress display and JSON lines are renderings of the same stream. A rendering switches over `type`
 * exhaustively, so the compiler finds a missing one.
 */
export type Phase =
  | 'analyze'
  | 'detect'
  | 'generate'
  | 'restore'
  | 'extend'
  | 'build'
  | 'export'
  | 'rebase'
  | 'launch'

export interface BuildpackRef {
  readonly id: string
  readonly version: string
}

/** Why a layer's bytes were not made again, or were. */
export type LayerOutcome =
  /** Same diffID as in the previous image. */
  | 'reused'
  /** The buildpack left no contents: the previous image's layer was taken. */
  | 'reused-untouched'
  | 'added'

export type DetectVerdict = 'pass' | 'fail' | 'error' | 'skip'

export type EventBody =
  | { readonly type: 'phase-started'; readonly phase: Phase }
  | {
      readonly type: 'phase-finished'
      readonly phase: Phase
      readonly milliseconds: number
      /** Where the phase did not come to its end. */
      readonly failed?: { readonly code: string; readonly class: ErrorClass }
    }
  /** A named part of a phase, or of what a platform does around them; parts of one may run side by side. */
  | { readonly type: 'step-started'; readonly phase: Phase | 'platform'; readonly step: string }
  | {
      readonly type: 'step-finished'
      readonly phase: Phase | 'platform'
      readonly step: string
      readonly milliseconds: number
    }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'info'; readonly message: string }
  | { readonly type: 'debug'; readonly message: string }
  /* analyze */
  | { readonly type: 'previous-image'; readonly reference: string; readonly found: boolean }
  | { readonly type: 'previous-image-corrupt'; readonly reference: string }
  /* detect */
  /** A bin/detect has ended; they run side by side, and what they printed follows in order as `detect-output`. */
  | {
      readonly type: 'detect-finished'
      readonly buildpack: BuildpackRef
      readonly verdict: 'pass' | 'fail' | 'error'
      readonly milliseconds: number
    }
  | {
      readonly type: 'detect-output'
      readonly buildpack: BuildpackRef
      readonly verdict: DetectVerdict
      /** stdout and stderr as they came. */
      readonly output: Uint8Array
      /** What went wrong apart from the exit code: a plan that does not parse, a time-out, a target that does not match. */
      readonly error?: string
    }
  /** One resolved group has been run; its `detect-result` events follow. */
  | { readonly type: 'detect-group'; readonly group: readonly BuildpackRef[] }
  /** Left out before it could run (execution environment), without failing its group. */
  | { readonly type: 'detect-skipped'; readonly buildpack: BuildpackRef; readonly reason: string }
  | {
      readonly type: 'detect-result'
      readonly buildpack: BuildpackRef
      readonly verdict: DetectVerdict
      readonly optional: boolean
      /** Exit code of bin/detect; absent where it did not run. */
      readonly code?: number
      readonly reason?: string
    }
  | { readonly type: 'detect-trial'; readonly number: number }
  /** `fail: x requires y`, `skip: x provides unused y`, `fail: no viable buildpacks in group`. */
  | {
      readonly type: 'detect-trial-verdict'
      readonly outcome: 'fail' | 'skip'
      readonly buildpack?: BuildpackRef
      readonly reason: string
    }
  | {
      readonly type: 'group-selected'
      readonly candidates: number
      readonly group: readonly BuildpackRef[]
    }
  | { readonly type: 'detect-failed'; readonly erroredBuildpack: boolean }
  /* generate */
  | { readonly type: 'extension-started'; readonly extension: BuildpackRef }
  | {
      readonly type: 'generate-output'
      readonly extension: BuildpackRef
      readonly chunk: Uint8Array
      readonly stream: OutputStream
    }
  | {
      readonly type: 'extension-finished'
      readonly extension: BuildpackRef
      readonly milliseconds: number
      /** How its bin/generate failed; absent where it did not. */
      readonly reason?: string
    }
  /* restore */
  | { readonly type: 'layer-metadata-restored'; readonly layer: string; readonly from: 'app image' | 'cache' }
  | { readonly type: 'layer-restored'; readonly layer: string; readonly bytes?: number }
  | { readonly type: 'layer-removed'; readonly layer: string; readonly reason: 'not in cache' | 'wrong sha' }
  | { readonly type: 'layer-restore-skipped'; readonly layer: string; readonly reason: string }
  | { readonly type: 'sbom-restored'; readonly from: 'previous image' | 'cache' }
  /* build */
  | { readonly type: 'buildpack-started'; readonly buildpack: BuildpackRef }
  | {
      readonly type: 'build-output'
      readonly buildpack: BuildpackRef
      readonly chunk: Uint8Array
      readonly stream: OutputStream
    }
  | {
      readonly type: 'buildpack-finished'
      readonly buildpack: BuildpackRef
      readonly milliseconds: number
      /** Why it failed, where it did: `exit status 1`. */
      readonly reason?: string
    }
  /* export */
  /**
   * `target` is the path of the image that is made, where it has one; `identity` says by what the previous image is named
   * (see `image-saved`).
   */
  | {
      readonly type: 'export-started'
      readonly previousImage?: string
      readonly target?: string
      readonly identity?: 'digest' | 'path' | 'image-id'
    }
  | {
      readonly type: 'layer-exported'
      /** `bp:layer`, `slice-N`, `buildpacksio/lifecycle:launcher` … (lifecycle-behaviour §3.1). */
      readonly layer: string
      readonly kind: 'buildpack' | 'app' | 'sbom' | 'launcher' | 'config' | 'process-types' | 'extension'
      readonly outcome: LayerOutcome
      readonly diffId: string
      /** Uncompressed bytes; absent when the layer was not read. */
      readonly size?: number
      readonly compressedSize?: number
      readonly milliseconds: number
    }
  | { readonly type: 'label-added'; readonly key: string }
  | { readonly type: 'default-process'; readonly process: string | undefined }
  | { readonly type: 'image-saving'; readonly name: string }
  | { readonly type: 'bytes-uploaded'; readonly digest: string; readonly bytes: number }
  | {
      readonly type: 'image-saved'
      /** Of the manifest, or as `identity` says the ID that a container daemon gave the image. */
      readonly digest: string
      /** Whether the image is told by the digest alone, as a path with it, or by a daemon's ID, which the digest is then. */
      readonly identity?: 'digest' | 'path' | 'image-id'
      readonly names: readonly { readonly name: string; readonly error?: string }[]
      readonly manifestSize: number
      /** Sum of the compressed sizes of config and layers. */
      readonly size: number
    }
  | {
      readonly type: 'cache-layer'
      readonly layer: string
      readonly outcome: 'reused' | 'added'
      readonly diffId: string
    }
  | { readonly type: 'cache-failed'; readonly message: string }
  /* the builder, and whatever else takes a while */
  | { readonly type: 'task-started'; readonly task: string; readonly label: string }
  | {
      readonly type: 'task-progress'
      readonly task: string
      readonly done: number
      readonly total?: number
      readonly unit: 'bytes' | 'items'
    }
  | {
      readonly type: 'task-finished'
      readonly task: string
      readonly milliseconds: number
      readonly detail?: string
    }

/** An event as a listener gets it: numbered from 1 in the order of emission, with the time since the stream began. */
export type Event = EventBody & { readonly sequence: number; readonly at: number }

/** What a phase is given: it reports and goes on, listeners run at once and must not throw. */
export type Emit = (event: EventBody) => void

export type Listener = (event: Event) => void

/** A stream of events: numbers what is emitted and hands it to every listener, in order, synchronously. */
export function eventStream(...listeners: readonly Listener[]): Emit {
  const start = monotonicNow()
  let sequence = 0
  return (body) => {
    const event: Event = { ...body, sequence: ++sequence, at: monotonicNow() - start }
    for (const listener of listeners) listener(event)
  }
}

/** Runs a task between its started and finished events; the detail of the finished event comes from the result. */
export async function task<T>(
  emit: Emit,
  name: string,
  label: string,
  work: () => Promise<T>,
  detail?: (result: T) => string,
): Promise<T> {
  const start = monotonicNow()
  emit({ type: 'task-started', task: name, label })
  const result = await work()
  const text = detail?.(result)
  emit({
    type: 'task-finished',
    task: name,
    milliseconds: monotonicNow() - start,
    ...(text === undefined ? {} : { detail: text }),
  })
  return result
}
