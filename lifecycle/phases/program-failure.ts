import { SlipwayError } from '../../core/error.ts'
import type { RunStatus } from '../../core/runner.ts'

/** Why a buildpack's or extension's program did not do its work. */
export interface ProgramFailure {
  readonly reason: string
  readonly hint?: string | undefined
  /** It was ended because its time was over. */
  readonly isLate: boolean
}

/**
 * Runs a program and says how it failed; undefined where it did not. One that cannot be started is its buildpack's failure;
 * a sandbox that cannot be made is not, and is thrown.
 */
export async function failureOf(run: () => Promise<RunStatus>): Promise<ProgramFailure | undefined> {
  try {
    const status = await run()
    const reason = reasonOf(status)
    return reason === undefined ? undefined : { reason, isLate: status.kind === 'timed-out' }
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.class !== 'buildpack') throw error
    return { reason: error.message, hint: error.hint, isLate: false }
  }
}

function reasonOf(status: RunStatus): string | undefined {
  switch (status.kind) {
    case 'exited':
      return status.code === 0 ? undefined : `exit status ${status.code}`
    case 'signalled':
      return `ended by ${status.signal}`
    case 'timed-out':
      return `not done within ${status.after} ms`
  }
}
