import type { Digest } from './digest.ts'

/** Media types (image-spec, and Docker's schema 2 which registries still serve). */
export const MEDIA_TYPES = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
}

export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes of the blob as stored (compressed). */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: Platform
  readonly urls?: readonly string[]
  readonly artifactType?: string
}

export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly subject?: Descriptor
}

export interface Index {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly manifests: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** One entry of an image's history; `empty_layer` marks one without a layer. */
export interface HistoryEntry {
  readonly created?: string
  readonly created_by?: string
  readonly author?: string
  readonly comment?: string
  readonly empty_layer?: boolean
}

/** The image's configuration as far as Slipway reads or writes it; what else stands in the JSON is kept. */
export interface ImageConfig {
  readonly architecture: string
  readonly os: string
  readonly 'os.version'?: string
  readonly variant?: string
  readonly created?: string
  readonly author?: string
  readonly config?: {
    readonly User?: string
    readonly Env?: readonly string[]
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
    readonly WorkingDir?: string
    readonly Labels?: Readonly<Record<string, string>> | null
    readonly ExposedPorts?: Readonly<Record<string, object>>
    readonly Volumes?: Readonly<Record<string, object>>
    readonly StopSignal?: string
  }
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly Digest[] }
  readonly history?: readonly HistoryEntry[]
}

/** An image that exists: its manifest and configuration are at hand, its layers stay where they are until opened. */
export interface Image {
  readonly digest: Digest
  readonly mediaType: string
  readonly manifestBytes: Uint8Array
  readonly manifest: Manifest
  readonly configBytes: Uint8Array
  readonly config: ImageConfig
  /** Where its blobs are. */
  readonly repository: Repository
}

/** Bytes to be stored. `open` may be called again after a failure and must then give the same bytes. */
export interface BlobSource {
  open(): AsyncIterable<Uint8Array>
  /** The same bytes from an offset on, where that costs less than all of them. */
  openFrom?(offset: number): AsyncIterable<Uint8Array>
  /** Where they are known beforehand they are checked, and let a store skip bytes that it has. */
  readonly digest?: Digest
  readonly size?: number
}

export interface StoredBlob {
  readonly digest: Digest
  readonly size: number
}

/** A layer as the tar that it is. */
export interface PlainLayer {
  readonly diffId: Digest
  /** Bytes of the tar. */
  readonly size: number
  /** The tar, the same at every call. A chunk is valid until the next one is asked for. */
  open(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/**
 * A place for the blobs and manifests of one name: a registry's repository, an OCI layout on disk, a daemon. Every way of
 * reading or writing an image is built on these few methods.
 *
 * Bytes that are read are checked against their digest while they stream; a mismatch ends the iteration with
 * `OCI_DIGEST_MISMATCH`. Nothing half-written is ever visible.
 */
export interface Repository {
  /** For people: `registry.example/app` or `oci:/path`. */
  readonly name: string
  /** Where the same blobs can be had without copying; two repositories of one registry or one layout share it. */
  readonly origin: string

  /**
   * Checks that manifests and blobs may be read, or written too, without changing anything (platform spec, analyzer's
   * access checks). A repository or image that does not exist yet is readable and writable.
   * @throws SlipwayError `OCI_ACCESS_DENIED`
   */
  verifyAccess(use: 'read' | 'write'): Promise<void>

  /** Size of a stored blob, or undefined where it is missing. */
  blobSize(digest: Digest): Promise<number | undefined>
  /** @throws SlipwayError `OCI_BLOB_MISSING`, `OCI_DIGEST_MISMATCH` */
  openBlob(digest: Digest, size?: number): AsyncIterable<Uint8Array>
  /** A blob from an offset on, where it comes from afar. Nothing is checked: whoever has the bytes before checks the whole. */
  openBlobFrom?(digest: Digest, offset: number, size?: number): AsyncIterable<Uint8Array>
  /** Stores a blob; its digest is computed while it streams. Storing what is there already is not an error. */
  putBlob(source: BlobSource): Promise<StoredBlob>
  /**
   * Where layers are kept as they are and not as compressed blobs (a container daemon): hands over a layer, which is read
   * when an image that has it is put, and only if it is missing. Absent everywhere else.
   */
  offerLayer?(layer: PlainLayer): void
  /**
   * Makes a blob of another repository available here without sending its bytes (cross-repository mount, or the same
   * layout). False where that is not possible; the caller then copies.
   */
  mountBlob(digest: Digest, from: Repository): Promise<boolean>

  /** A manifest or index by tag or digest, with the bytes as stored; undefined where there is none. */
  getManifest(reference: string): Promise<StoredManifest | undefined>
  /**
   * Stores a manifest or index under its digest and under each tag. Its blobs must be there. Returned is what it is known
   * by there: the digest of the bytes, or the ID that a daemon gave to the image.
   */
  putManifest(bytes: Uint8Array, mediaType: string, tags: readonly string[]): Promise<Digest>
  /**
   * Removes a manifest by digest, or a tag where the registry allows it; false where it is not there. Absent where
   * nothing is removed one by one.
   */
  deleteManifest?(reference: string): Promise<boolean>
}

export interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
}
