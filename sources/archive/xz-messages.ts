/** What the pool and its workers say to each other (structured clones). */

/** Where a worker finds the compressed bytes: a range of a file, or bytes handed over. */
export type XzInput =
  | { readonly path: string; readonly offset: number; readonly size: number }
  | { readonly bytes: Uint8Array }

export type ToWorker =
  | { readonly type: 'start'; readonly input: XzInput; readonly credit: number }
  /** One more chunk may be sent: the consumer took one, and gives its buffer back to be filled again. */
  | { readonly type: 'more'; readonly buffer: ArrayBuffer }

export type FromWorker =
  | { readonly type: 'chunk'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'end' }
  /** The bytes are no xz, or damaged. */
  | { readonly type: 'error'; readonly message: string }
  /** Said by the pool for a thread that ended by itself. */
  | { readonly type: 'died'; readonly cause: unknown }
