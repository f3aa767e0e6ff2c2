import type { Emit } from '../../core/event.ts'
import type { Retrier } from '../../core/http/retry.ts'
import type { Digest } from '../digest.ts'
import type { Leases } from '../sharing/leases.ts'
import type { Places } from '../sharing/places.ts'
import { pullScope, pushScope } from './scope.ts'
import type { Session } from './session.ts'
import type { Upload } from './upload-session.ts'

/** One repository as the operations on it see it. */
export interface Target {
  readonly session: Session
  /** Path below the registry. */
  readonly path: string
  /** For people: `registry.example/app`. */
  readonly name: string
  readonly retrier: Retrier
  readonly emit: Emit
  readonly state: TargetState
  readonly leases: Leases
  /** Where blobs of this registry are, as far as builds that share a store know; absent where none is shared. */
  readonly places?: Places
}

/** What is remembered of a repository, shared by all that talk to it. */
export interface TargetState {
  /** Set with the first write: tokens then allow both, one instead of two. */
  writes: boolean
  /** Blobs that are known to be there, with their sizes. */
  readonly present: Map<Digest, number>
  /** Uploads that a registry opened in place of a mount: used rather than opened again. */
  readonly opened: Map<Digest, Upload>
  readonly referrers: ReferrerChanges
  /** The registry takes no streamed upload: chunks with a length are sent. */
  chunked: boolean
}

/** Changes of the indexes that stand in for the referrers API. */
export interface ReferrerChanges {
  /** The next waits for it. */
  last: Promise<unknown>
  /** By subject, what has not begun: more may join it. */
  readonly waiting: Map<
    Digest,
    { readonly entries: Readonly<Record<string, unknown>>[]; readonly entered: Promise<void> }
  >
}

export function newTargetState(): TargetState {
  return {
    writes: false,
    present: new Map(),
    opened: new Map(),
    referrers: { last: Promise.resolve(), waiting: new Map() },
    chunked: false,
  }
}

/** The path of an API resource of the repository. */
export function resource(target: Target, rest: string): string {
  return `/v2/${target.path}/${rest}`
}

export function readScopes(target: Target): string[] {
  return [target.state.writes ? pushScope(target.path) : pullScope(target.path)]
}

export function writeScopes(target: Target): string[] {
  target.state.writes = true
  return [pushScope(target.path)]
}

/** Registries check and move what was sent before they answer: minutes for gigabytes. */
export const COMMIT = { headers: 15 * 60_000 } as const
