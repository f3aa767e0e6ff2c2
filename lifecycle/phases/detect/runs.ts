import { monotonicNow } from '../../../core/clock.ts'
import type { Emit } from '../../../core/event.ts'
import { formatModuleRef } from '../../../spec/files/module-ref.ts'
import type { SupportedTarget, TargetMetadata } from '../../../spec/files/target.ts'
import { formatTarget, matchesAnyTarget } from '../../../spec/target.ts'
import type { Member } from './expand-order.ts'
import type { Module } from './modules.ts'
import { type DetectRun, type DetectSettings, runDetect } from './run-detect.ts'

/** What became of a member: what its bin/detect did, or why it did not run. */
export type Outcome = DetectRun | { readonly verdict: 'unsuitable'; readonly reason: string }

export type OutcomeOf = (member: Member) => Promise<Outcome>

/**
 * Gives the outcome of members. Each module runs once in a phase, however many groups it is in, and no more than
 * `concurrency` at a time (cnb-spec DT-1). A required member for another target is an error, an optional one drops out
 * (T-4, AMB-15).
 */
export function detectRuns(options: {
  readonly settings: DetectSettings
  readonly emit: Emit
  readonly concurrency: number
  /** Where the result will run; absent before Platform API 0.12, which knows no targets. */
  readonly target?: TargetMetadata
}): OutcomeOf {
  const { settings, target, emit } = options
  const known = new Map<string, Promise<DetectRun>>()
  const atMost = limit(options.concurrency)

  function run({ module, ref }: Member): Promise<DetectRun> {
    const key = `${module.kind} ${formatModuleRef(ref)}`
    // Now, not when its turn comes: by then those behind it are known too.
    const number = known.size
    const found = known.get(key) ?? atMost(() => timed(module, number))
    known.set(key, found)
    return found
  }

  async function timed(module: Module, number: number): Promise<DetectRun> {
    const start = monotonicNow()
    const result = await runDetect(module, number, settings)
    const { id, version } = module.info
    emit({
      type: 'detect-finished',
      buildpack: { id, version },
      verdict: result.verdict,
      milliseconds: monotonicNow() - start,
    })
    return result
  }

  return async (member) => {
    const { targets } = member.module
    if (target === undefined || targets.length === 0 || matchesAnyTarget(target, targets)) return run(member)
    const reason = `unable to satisfy target os/arch constraints; run image: ${formatTarget(target)}, buildpack: [${targets.map(formatSupported).join(',')}]`
    return member.optional
      ? { verdict: 'unsuitable', reason }
      : { verdict: 'error', output: new Uint8Array(), error: reason }
  }
}

/** As the reference shows what a buildpack can build for. */
function formatSupported({ os, arch, archVariant, distros }: SupportedTarget): string {
  const some = (text: string) => text || undefined
  return JSON.stringify({
    os: some(os),
    arch: some(arch),
    'arch-variant': some(archVariant),
    distros: distros.length === 0 ? undefined : distros,
  })
}

/** Runs what it is given, so many at a time, in the order given. */
function limit(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // The place is handed on, so that nobody who comes later can take it in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
