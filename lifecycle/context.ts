import { type ErrorCode, errorChain, SlipwayError, systemDetails } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Root } from '../core/root.ts'
import type { Digest } from '../oci/digest.ts'
import type { Repository } from '../oci/image.ts'
import { parseReference, type Reference, referenceName, withDigest } from '../oci/reference.ts'
import type { ApiVersion } from '../spec/api-version.ts'

/** What every phase is given and does not own. */
export interface PhaseContext {
  readonly root: Root
  readonly emit: Emit
  /** The Platform API that the platform speaks; already checked to be a supported one. */
  readonly platformApi: ApiVersion
}

/**
 * Where images are. In a container that is a registry or a daemon; on a laptop the run image may stand in the local store
 * while the app image goes to a registry. A phase only asks for the place of a name.
 */
export interface ImageAccess {
  repository(reference: Reference): Repository
  /** How images are named here. Default: by references, {@link REFERENCE_NAMES}. */
  readonly naming?: ImageNaming
}

/** How names of images are read, and written into the files between the phases. */
export interface ImageNaming {
  /** A name as a user or an earlier phase wrote it. @throws SlipwayError `OCI_REFERENCE_INVALID` (exit 3) */
  parse(text: string): Reference
  /**
   * The name of an image with the digest of its manifest, which {@link parse} reads back (cnb-spec §2.11): wherever its
   * bytes came from the same on a laptop, in CI and in a cluster, and what its place can be asked for.
   */
  digestName(reference: Reference, digest: Digest): string
  /** What report.toml and the log call an image that was saved as `text`. */
  savedName(text: string, reference: Reference): string
  /**
   * What tells an image that was saved from others: the digest of its manifest, with it the path where it is, or the ID
   * that a container daemon gave it, which stands for the digest.
   */
  readonly identity: 'digest' | 'path' | 'image-id'
}

export const REFERENCE_NAMES: ImageNaming = {
  parse: parseReference,
  digestName: (reference, digest) => referenceName(withDigest(reference, digest)),
  savedName: (text) => text,
  identity: 'digest',
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
      ...systemDetails(error),
    })
  }
}
