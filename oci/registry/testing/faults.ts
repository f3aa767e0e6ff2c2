/** What a test registry can be made to do wrong, one switch each. Counts are how often it still happens. */

/** What a request is about, as the counters and some faults name it. */
export type RequestKind =
  | 'ping'
  | 'token'
  | 'manifest-head'
  | 'manifest-get'
  | 'manifest-put'
  | 'manifest-delete'
  | 'blob-head'
  | 'blob-get'
  | 'blob-delete'
  | 'mount'
  | 'upload-start'
  | 'upload-patch'
  | 'upload-put'
  | 'upload-status'
  | 'upload-delete'
  | 'tags'
  | 'referrers'
  | 'storage'
  | 'other'

export interface Faults {
  /** Break the connection after so many bytes of an upload's body, once so many bodies have come whole. */
  cutUpload?: { readonly afterBytes: number; times: number; skip?: number }
  /** Break the connection after so many bytes of a blob's body; unframed, it looks like the end of the body. */
  cutDownload?: { readonly afterBytes: number; times: number; readonly unframed?: boolean }
  /** Answer a PATCH as done after so many bytes, and read no more. */
  acceptEarly?: { readonly afterBytes: number; times: number }
  /** Answer a status to requests of these kinds (all when absent) without looking at them. */
  answer?: {
    readonly status: number
    readonly kinds?: readonly RequestKind[]
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    times: number
  }
  /** Refuse an upload's PATCH or PUT with 401 and end every token: a token that expired on the way. */
  expireDuringUpload?: { times: number }
  /** `Docker-Content-Digest` of another content. */
  wrongDigestHeader?: boolean
  /** The bytes of blobs and manifests changed in one place. */
  corruptBodies?: boolean
  /** Status of a PATCH (ECR says 201). Default 202. */
  patchStatus?: 201 | 202 | 204
  /** Form of Location: a path, a URL, a path relative to the upload, or a text of one's own. Default `path`. */
  location?: 'path' | 'absolute' | 'relative' | { readonly text: string }
  /** What the registry believes to be its own address, for absolute Locations. */
  publicUrl?: string
  /** Blobs are answered by a redirect to another origin, which fails when Authorization is sent. */
  redirectBlobs?: boolean
  /** Blobs are answered by a redirect to this URL. */
  redirectTo?: string
  /** 411 for a streamed PATCH without Content-Length. */
  lengthRequired?: boolean
  /** 413 for a body of more bytes. */
  bodyLimit?: number
  /** 416 for a larger piece of an upload (GHCR). */
  pieceLimit?: number
  /** `OCI-Chunk-Min-Length`; 416 for a smaller piece that is not the last. */
  leastPiece?: number
  /** Milliseconds before an upload's PUT is answered. */
  slowCommit?: number
  /** Tags in the query of a manifest's PUT are set, and confirmed by `OCI-Tag`. */
  tagParameters?: boolean
  /** Manifests have an ETag, and `If-Match` is heeded; or no condition ever holds, as with a proxy that changes ETags. */
  conditional?: boolean | 'never'
  /** Manifests are answered in chunks, without a length (zot). */
  chunkedManifests?: boolean
  /** HEAD of a manifest says another length than GET (Harbor). */
  wrongHeadLength?: boolean
  /** Mounts: 202 with an upload, or an error. */
  refuseMounts?: 'upload' | 'error'
  /** Ranges of blobs are ignored: 200 with everything. */
  ignoreRanges?: boolean
  /** Realm that is named instead of the registry's own. */
  realm?: string
  /** Status of a POST for a token, where there is none (GCR, Artifactory, ACR). */
  noTokenPost?: 400 | 401 | 404 | 405
  /** Bytes without end in answer to requests of these kinds, with this status. */
  endless?: { readonly kinds: readonly RequestKind[]; readonly status: number }
  /** Every page of a list names another one. */
  endlessPages?: boolean
  /** `Range` of an upload's status stays at what the first piece had (ECR). */
  staleRange?: boolean
  /** The referrers API, which many registries lack: they answer 404. */
  referrers?: boolean
  /** A `Warning` header with every answer. */
  warning?: string
}
