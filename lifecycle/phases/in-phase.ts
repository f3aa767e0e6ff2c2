import { monotonicNow } from '../../core/clock.ts'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { type ErrorClass, SlipwayError } from '../../core/error.ts'
import type { Emit, Phase } from '../../core/event.ts'

/** Runs a phase between its started and finished events; the latter comes also where it fails. */
export async function inPhase<T>(emit: Emit, phase: Phase, work: () => Promise<T>): Promise<T> {
  const start = monotonicNow()
  emit({ type: 'phase-started', phase })
  const finish = (failed?: { readonly code: string; readonly class: ErrorClass }) =>
    emit({
      type: 'phase-finished',
      phase,
      milliseconds: monotonicNow() - start,
      ...(failed === undefined ? {} : { failed }),
    })
  let result: T
  try {
    result = await work()
  } catch (error) {
    finish(
      error instanceof SlipwayError
        ? { code: error.code, class: error.class }
        : { code: 'LIFECYCLE_DEFECT', class: 'internal' },
    )
    throw error
  }
  finish()
  return result
}

/**
 * A new name in the container's `/tmp`. It is not a secret: who could guess it runs as the same user anyway, and loading
 * node:crypto would cost a phase 4 ms.
 */
export function temporaryPath(phase: Phase): ContainerPath {
  const random = Math.random().toString(36).slice(2)
  return containerPath(`/tmp/${phase}.${process.pid.toString(36)}${Date.now().toString(36)}${random}`)
}
