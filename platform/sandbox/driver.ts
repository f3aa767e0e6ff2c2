import type { ContainerPath } from '../../core/container-path.ts'

/** What a sandbox is made of, once every place is known to exist. Paths hold latin1 bytes. */
export interface Plan {
  /** The directory that becomes the root, read-only. */
  readonly rootfs: string
  /** Outer before inner; no part of a target is a link. */
  readonly mounts: readonly PlannedMount[]
  readonly network: Network
  /** Whom the programs are inside. */
  readonly user: Owner
  /** Whom they are outside where this process is root; an ordinary user's programs are his own. */
  readonly become: Owner | undefined
  /** The native helper (native/src/sandbox.c). */
  readonly helper: string
}

export type PlannedMount =
  | {
      readonly kind: 'directory'
      readonly source: string
      readonly target: ContainerPath
      readonly writable: boolean
    }
  | { readonly kind: 'tmpfs'; readonly target: ContainerPath }

/** `host`: the machine's own network. `none`: a loopback interface and nothing else. */
export type Network = 'host' | 'none'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** How the helper comes to be the first process of a sandbox. */
export interface Driver {
  readonly name: DriverName
  /** The program to start, or undefined where this machine does not have it. */
  readonly program: (plan: Plan) => string | undefined
  /** Arguments on the command line, which everyone on the machine can read. */
  readonly args: readonly string[]
  /** Arguments that are passed over a descriptor of their own, {@link ARGUMENTS_DESCRIPTOR}. */
  readonly hiddenArgs: (plan: Plan) => readonly string[]
  /** What the helper itself does before it runs the program. */
  readonly steps: (plan: Plan) => readonly Step[]
}

export type DriverName = 'bubblewrap' | 'unshare'

/** A step of the helper's request and its operands, as native/src/sandbox.c reads them. */
export type Step = readonly [name: string, ...operands: string[]]

/** Descriptors of a driver's program (native/src/sandbox.h has the first two). */
export const CHANNEL_DESCRIPTOR = 3
export const HELPER_DESCRIPTOR = 4
export const ARGUMENTS_DESCRIPTOR = 5

/** The name that every sandbox has: the machine's own is none of a build's business. */
export const HOSTNAME = 'slipway'

/** Steps that make the programs' owner outside one that appears as the container's user inside. */
export function userSteps({ become, user }: Plan): readonly Step[] {
  return [
    ...(become === undefined ? [] : ([['become', String(become.uid), String(become.gid)]] as const)),
    ['map', String(user.uid), String(user.gid)],
  ]
}
