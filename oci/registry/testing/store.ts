import { createHash, randomUUID } from 'node:crypto'

/** Blobs, manifests and uploads of a test registry, in memory. */

export interface StoredContent {
  readonly bytes: Buffer
  readonly mediaType: string
}

export interface TestRepository {
  readonly blobs: Map<string, Buffer>
  readonly manifests: Map<string, StoredContent>
  readonly tags: Map<string, string>
}

export interface TestUpload {
  readonly id: string
  readonly repository: string
  readonly chunks: Buffer[]
  size: number
  /** Size after the first piece, for the fault of a stale Range. */
  firstSize?: number
}

export interface TestStore {
  readonly repositories: Map<string, TestRepository>
  readonly uploads: Map<string, TestUpload>
  repository(name: string): TestRepository
  startUpload(repository: string): TestUpload
}

export function createTestStore(): TestStore {
  const repositories = new Map<string, TestRepository>()
  const uploads = new Map<string, TestUpload>()
  return {
    repositories,
    uploads,
    repository(name) {
      const known = repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() }
      repositories.set(name, known)
      return known
    },
    startUpload(repository) {
      const upload: TestUpload = { id: randomUUID(), repository, chunks: [], size: 0 }
      uploads.set(upload.id, upload)
      return upload
    },
  }
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
