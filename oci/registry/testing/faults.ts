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
  /** Break the connection after so many bytes of an upload's body. */
  cutUpload?: { readonly afterBytes: number; times: number }
  /** Break the connection after so many bytes of a blob's body. */
  cutDownload?: { readonly afterBytes: number; times: number }
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
  /** Blobs are answered by a redirect to another origin, which fails when Authorization is sent. */
  redirectBlobs?: boolean
  /** Blobs are answered by a redirect to this URL. */
  redirectTo?: string
  /** 411 for a streamed PATCH without Content-Length. */
  lengthRequired?: boolean
  /** 413 for a body of more bytes. */
  bodyLimit?: number
  /** Mounts: 202 with an upload, or an error. */
  refuseMounts?: 'upload' | 'error'
  /** Ranges of blobs are ignored: 200 with everything. */
  ignoreRanges?: boolean
  /** Realm that is named instead of the registry's own. */
  realm?: string
  /** 404 to a POST for a token (GCR). */
  noTokenPost?: boolean
  /** Instead of a manifest, bytes without end. */
  endlessManifests?: boolean
  /** `Range` of an upload's status stays at what the first piece had (ECR). */
  staleRange?: boolean
  /** The referrers API, which many registries lack: they answer 404. */
  referrers?: boolean
  /** A `Warning` header with every answer. */
  warning?: string
}
