import { errorChain, SlipwayError } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import type { Digest } from '../digest.ts'
import { identifier } from '../reference.ts'
import { type PullPlace, servesName } from './pull-rules.ts'
import type { RegistryRepository } from './types.ts'

/** A repository that may be read in place of another. */
export interface ReadPlace {
  readonly repository: RegistryRepository
  readonly serves: PullPlace['serves']
}

export interface MirrorOptions {
  /** Asked in order, each one that has failed no more. */
  readonly mirrors: readonly ReadPlace[]
  /** Who is asked last. */
  readonly last: RegistryRepository
  /** From then on the repository itself is read: what was just written is in no mirror. */
  readonly isWritten: () => boolean
  /** Origins that have failed in this process, shared by all repositories. */
  readonly failed: Set<string>
  readonly emit: Emit
}

/**
 * A repository whose manifests and blobs are read from mirrors first; everything else goes to `own`. A mirror that lacks
 * something, or fails, is no failure. What it answers is checked against digests like everything that is read; credentials
 * are those that its own host has.
 */
export function mirrored(own: RegistryRepository, options: MirrorOptions): RegistryRepository {
  const { last, failed, emit } = options
  const places = (name: string) =>
    options.mirrors
      .filter(({ serves, repository }) => servesName(serves, name) && !failed.has(repository.origin))
      .map(({ repository }) => repository)
  const giveUp = ({ origin, name }: RegistryRepository, error: unknown) => {
    failed.add(origin)
    emit({ type: 'debug', message: `no longer asking the mirror ${name}: ${errorChain(error)}` })
  }

  type Ask<T> = (repository: RegistryRepository) => Promise<T | undefined>
  /** What the first mirror answers that has it. */
  const fromMirror = async <T>(name: string, ask: Ask<T>): Promise<T | undefined> => {
    for (const place of options.isWritten() ? [] : places(name)) {
      try {
        const found = await ask(place)
        if (found !== undefined) return found
      } catch (error) {
        giveUp(place, error)
      }
    }
    return undefined
  }
  const source = () => (options.isWritten() ? own : last)
  const read = async <T>(name: string, ask: Ask<T>): Promise<T | undefined> =>
    (await fromMirror(name, ask)) ?? (await ask(source()))

  async function* stream(
    digest: Digest,
    open: (repository: RegistryRepository) => AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    for (const place of options.isWritten() ? [] : places(digest)) {
      let begun = false
      try {
        for await (const chunk of open(place)) {
          begun = true
          yield chunk
        }
        return
      } catch (error) {
        // What was handed out cannot be taken back.
        if (begun) throw error
        if (!(error instanceof SlipwayError && error.code === 'OCI_BLOB_MISSING')) giveUp(place, error)
      }
    }
    yield* open(source())
  }

  return {
    ...own,
    getManifest: (name) => read(name, (repository) => repository.getManifest(name)),
    manifestDigest: (name) => read(name, (repository) => repository.manifestDigest(name)),
    openBlob: (digest, size) => stream(digest, (repository) => repository.openBlob(digest, size)),
    openBlobFrom: (digest, offset, size) =>
      stream(digest, (repository) => repository.openBlobFrom(digest, offset, size)),
    verifyAccess: async (use) => {
      if (use === 'write') return await own.verifyAccess(use)
      const name = identifier(own.reference)
      // What a mirror has may be read, whatever the registry says, which may be out of reach.
      const found = await fromMirror(name, (repository) => repository.manifestDigest(name))
      if (found === undefined) await source().verifyAccess(use)
    },
  }
}
