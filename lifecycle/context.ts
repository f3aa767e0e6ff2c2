import { type ErrorCode, errorChain, SlipwayError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Root } from '../core/root.ts'
import type { Repository } from '../oci/image.ts'
import type { Reference } from '../oci/reference.ts'
import type { ApiVersion } from '../spec/api-version.ts'

/** What every phase is given and does not own. */
export interface PhaseContext {
  readonly root: Root
  readonly emit: Emit
  /** The Platform API that the platform speaks; already checked to be a supported one. */
  readonly platformApi: ApiVersion
}

/**
 * Where images are. In a container that is a registry; on a laptop the run image may stand in the local store while
 * the app image goes to a registry. A phase only asks for the place of a name.
 */
export interface ImageAccess {
  repository(reference: Reference): Repository
}

/**
 * Runs a phase, or a part of one, whose failures belong to one family of exit codes (cnb-spec §2.1). An error that
 * names an exit code of its own keeps it; what is no {@link SlipwayError}, such as a full disk, becomes one.
 * @param code of such an error
 * @param action for its message: `export`
 */
export async function inFamily<T>(
  exitCode: number,
  code: ErrorCode,
  action: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof SlipwayError) throw error.exitCode === 1 ? error.withExitCode(exitCode) : error
    throw new SlipwayError(code, `failed to ${action}: ${errorChain(error)}`, {
      class: 'infrastructure',
      exitCode,
      cause: error,
    })
  }
}
