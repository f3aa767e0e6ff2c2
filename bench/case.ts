import type { Lifecycle } from './lifecycles.ts'
import type { Measured } from './measure.ts'
import type { World } from './workplace.ts'

/** Whose time a column is. */
export type Who = 'ours' | 'ours, zstd' | 'reference' | 'floor'

/** One that runs in turn with the others of its case. */
export interface Contestant {
  readonly who: Who
  /** What has to be as it is before every run; not measured. */
  readonly before?: () => Promise<void>
  readonly run: () => Promise<Measured>
}

/** What is aimed at: the reference's time over ours at least, or ours over the floor at most. */
export type Aim =
  | { readonly kind: 'faster'; readonly who: Who; readonly times: number }
  | { readonly kind: 'floor'; readonly times: number }
  | { readonly kind: 'none' }

/** One line of the table. */
export interface Row {
  readonly title: string
  readonly aim: Aim
  /** Megabytes at most. */
  readonly peak?: number
  readonly samples: ReadonlyMap<Who, readonly Measured[]>
  /** For people, beneath the table. */
  readonly notes?: readonly string[]
}

/** Something counted, not timed in pairs. */
export interface Fact {
  readonly title: string
  readonly aim: string
  readonly ours: string
  readonly reference?: string
  readonly isMet: boolean
}

export interface BenchContext {
  readonly world: World
  readonly lifecycles: readonly Lifecycle[]
  /** Runs of every contestant in turn, the first round of which counts for nothing. */
  readonly inTurn: (
    contestants: readonly Contestant[],
    pairs?: number,
  ) => Promise<ReadonlyMap<Who, readonly Measured[]>>
}

export interface Case {
  /** For `--case`. */
  readonly name: string
  readonly run: (context: BenchContext) => Promise<readonly (Row | Fact)[]>
}
