import { SlipwayError } from '../../../core/error.ts'
import { formatModuleRef, type ModuleRef } from '../../../spec/files/module-ref.ts'
import type { Order, OrderElement, OrderGroup } from '../../../spec/files/order.ts'
import type { System } from '../../../spec/files/system.ts'
import type { LookUp, Module } from './modules.ts'

/** One buildpack or extension of a group to try: never a composite. */
export interface Member {
  readonly module: Module
  readonly ref: ModuleRef
  readonly optional: boolean
}

/** Puts the system buildpacks before and after every group, except where the group names one of that ID (cnb-spec O-1). */
export function mergeSystem(
  order: readonly OrderGroup[],
  system: System | undefined,
  say: (message: string) => void,
): readonly OrderGroup[] {
  if (system === undefined) return order
  return order.map(({ group }) => {
    const missing = ({ id }: ModuleRef) => !group.some((element) => element.id === id)
    const [before, after] = [system.pre.filter(missing), system.post.filter(missing)]
    if (before.length > 0) say(`Prepending ${before.length} system buildpack(s) to group`)
    if (after.length > 0) say(`Appending ${after.length} system buildpack(s) to group`)
    return { group: [...before, ...group, ...after] }
  })
}

/** An entry of a group on its way: what nests it is kept to find cycles. */
interface Entry extends OrderElement {
  readonly within: readonly string[]
}

type Step = Entry | { readonly extensions: readonly OrderGroup[] }

/**
 * All groups of an order, one after the other and only as far as somebody asks: composites are expanded depth-first, the
 * leftmost varying slowest; where a composite is optional, the group without it comes last; the order of extensions is
 * one optional composite at the head of every group; a second member of the same kind and ID is left out (cnb-spec O-2
 * to O-7).
 * @param takesPart decides on members and composites by execution environment.
 * @throws SlipwayError `DETECT_ORDER_CYCLE`, and what the look-up throws.
 */
export function* expandOrder(
  order: Order,
  lookUp: LookUp,
  takesPart: (element: OrderElement, module: Module) => boolean,
): Generator<readonly Member[]> {
  for (const { group } of order.order) {
    const head: Step[] = order.orderExtensions.length === 0 ? [] : [{ extensions: order.orderExtensions }]
    yield* walk([...head, ...entriesOf(group, [])], [])
  }

  function* walk(steps: readonly Step[], before: readonly Member[]): Generator<readonly Member[]> {
    const [step, ...rest] = steps
    if (step === undefined) {
      yield before
    } else if ('extensions' in step) {
      for (const { group } of step.extensions) yield* walkExtensions(group, rest, before)
      yield* walk(rest, before)
    } else {
      yield* walkEntry(step, rest, before)
    }
  }

  function* walkExtensions(
    group: readonly OrderElement[],
    rest: readonly Step[],
    before: readonly Member[],
  ): Generator<readonly Member[]> {
    let members = before
    for (const element of group) {
      if (isTaken(members, 'extension', element)) continue
      const module = lookUp('extension', element)
      if (takesPart(element, module)) members = [...members, { module, ref: element, optional: true }]
    }
    yield* walk(rest, members)
  }

  function* walkEntry(
    entry: Entry,
    rest: readonly Step[],
    before: readonly Member[],
  ): Generator<readonly Member[]> {
    if (isTaken(before, 'buildpack', entry)) return yield* walk(rest, before)
    const module = lookUp('buildpack', entry)
    if (!takesPart(entry, module)) return yield* walk(rest, before)
    if (module.order.length === 0) {
      return yield* walk(rest, [...before, { module, ref: entry, optional: entry.optional }])
    }
    const within = [...entry.within, formatModuleRef(entry)]
    if (entry.within.includes(formatModuleRef(entry))) throw cycle(within)
    for (const { group } of module.order) yield* walk([...entriesOf(group, within), ...rest], before)
    if (entry.optional) yield* walk(rest, before)
  }
}

function entriesOf(group: readonly OrderElement[], within: readonly string[]): Entry[] {
  return group.map((element) => ({ ...element, within }))
}

function isTaken(members: readonly Member[], kind: Module['kind'], { id }: ModuleRef): boolean {
  return members.some((member) => member.module.kind === kind && member.ref.id === id)
}

function cycle(chain: readonly string[]): SlipwayError {
  return new SlipwayError(
    'DETECT_ORDER_CYCLE',
    `composite buildpacks contain each other: ${chain.join(' → ')}`,
    {
      subject: chain.at(-1) ?? '',
      hint: 'Remove one of these from the order of the one before it.',
      class: 'buildpack',
    },
  )
}
