import { monotonicNow } from '../../core/clock.ts'
import type { Emit } from '../../core/event.ts'

/**
 * The parts of each phase, and of a platform's own work, that stand in the event stream, with how long they took. What happens in a phase happens in
 * one of these; test/chaos kills the phase in each of them.
 */
export const STEPS = {
  analyze: [
    'read run image',
    'check write access',
    'read previous image',
    'restore SBOM',
    'write analyzed.toml',
  ],
  detect: ['look up buildpacks', 'run bin/detect', 'resolve plan', 'write group.toml', 'write plan.toml'],
  restore: [
    'check run image',
    'restore store.toml',
    'restore metadata',
    'restore layers',
    'restore SBOM',
    'write analyzed.toml',
  ],
  build: ['run bin/build', 'read outputs', 'write SBOM', 'write metadata.toml'],
  export: [
    'read images',
    'plan layers',
    'make layers',
    'carry base layers',
    'save image',
    'write cache',
    'write report.toml',
  ],
  rebase: ['read image', 'read run image', 'save image', 'write report.toml'],
  /** What `slipway build` does around the phases (platform/build). */
  platform: ['open builder', 'copy app', 'make sandbox', 'keep layers'],
} as const

export type SteppedPhase = keyof typeof STEPS
export type StepOf<P extends SteppedPhase> = (typeof STEPS)[P][number]

/** Does a named part of a phase between its started and finished events; the latter comes also where it fails. */
export async function inStep<P extends SteppedPhase, T>(
  emit: Emit,
  phase: P,
  step: StepOf<P>,
  work: () => T | Promise<T>,
): Promise<T> {
  const start = monotonicNow()
  emit({ type: 'step-started', phase, step })
  try {
    return await work()
  } finally {
    emit({ type: 'step-finished', phase, step, milliseconds: monotonicNow() - start })
  }
}
