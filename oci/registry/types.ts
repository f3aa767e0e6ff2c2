import type { Emit } from '../../core/event.ts'
import type { RetryOptions } from '../../core/http/retry.ts'
import type { HttpClient } from '../../core/http/types.ts'
import type { Digest } from '../digest.ts'
import type { Descriptor, Repository } from '../image.ts'
import type { Reference } from '../reference.ts'
import type { Sharing } from '../sharing/sharing.ts'
import type { CredentialSource } from './credentials/types.ts'
import type { PullRule } from './pull-rules.ts'

export interface RegistryOptions {
  /** A client of core/http; retries are the registry's own, so it need not be one that retries. */
  readonly http: HttpClient
  /** Anonymous where absent. Asked once for each repository. */
  readonly credentials?: CredentialSource
  /** Registries (`host:port`) or prefixes of names that may be plain http or have any certificate (cnb-spec AU-5). */
  readonly insecure?: readonly string[]
  /** Mirrors to pull from, blocked and insecure registries. Their order is that of their files. */
  readonly rules?: readonly PullRule[]
  /** Told of warnings of registries and of uploaded bytes. */
  readonly emit?: Emit
  readonly retry?: RetryOptions
  /** Of the store that builds share: an upload that another process makes is waited for, not made twice. */
  readonly sharing?: Sharing
}

/** Registries as places of images: the client side of the OCI distribution spec. */
export interface Registry {
  /** The repository that a reference names. Its tag or digest is what {@link Repository.verifyAccess} looks at. */
  repository(reference: Reference): RegistryRepository
}

/** What a registry can do beyond every other {@link Repository}. */
export interface RegistryRepository extends Repository {
  readonly reference: Reference
  openBlobFrom(digest: Digest, offset: number, size?: number): AsyncIterable<Uint8Array>
  /** Digest of a manifest without its bytes (HEAD); undefined where there is none. */
  manifestDigest(reference: string): Promise<Digest | undefined>
  /** Tags in the registry's order, at most 10,000; none where the repository does not exist. */
  tags(): Promise<readonly string[]>
  /**
   * What refers to a manifest by its `subject` (signatures, SBOMs), of one artifact type where it is given. Registries
   * without the API keep an index under a tag, which `putManifest` maintains.
   */
  referrers(subject: Digest, artifactType?: string): Promise<readonly Descriptor[]>
  /** {@inheritDoc Repository.deleteManifest} */
  deleteManifest(reference: string): Promise<boolean>
}
