import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SlipwayError } from '../../../core/error.ts'
import { type Digest, digestOf } from '../../digest.ts'
import { type BlobSource, type Manifest, MEDIA_TYPES } from '../../image.ts'
import { parseReference } from '../../reference.ts'
import type { Registry, RegistryRepository } from '../types.ts'

/** What the client must do against any registry, real or not: the suite that keeps the test registry honest. */

export interface Peer {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly registry: Registry
}

export async function read(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A source in pieces that counts how often it is opened. */
export function sourceOf(
  bytes: Uint8Array,
  known: 'known' | 'unknown',
  piece = 64 * 1024,
): BlobSource & { opened: number } {
  const source = {
    opened: 0,
    async *open() {
      source.opened++
      for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
    },
    ...(known === 'known' ? { digest: digestOf(bytes), size: bytes.length } : {}),
  }
  return source
}

let counter = 0

/** A repository that no other test uses. */
export function freshRepository(peer: Peer, tag = 'latest'): RegistryRepository {
  counter++
  return peer.registry.repository(
    parseReference(`${peer.host}/suite/r${randomBytes(4).toString('hex')}-${counter}:${tag}`),
  )
}

/** A small image: one config, one layer. */
export async function pushImage(
  repository: RegistryRepository,
  tags: readonly string[],
): Promise<{ digest: Digest; bytes: Buffer; layer: Buffer }> {
  const layer = randomBytes(1000)
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  )
  const stored = await repository.putBlob(sourceOf(layer, 'unknown'))
  const storedConfig = await repository.putBlob(sourceOf(config, 'known'))
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociConfig, ...storedConfig },
    layers: [{ mediaType: MEDIA_TYPES.ociLayer, ...stored }],
  }
  // Spaces that a client which parses and writes again would lose.
  const bytes = Buffer.from(JSON.stringify(manifest, null, 3))
  return { digest: await repository.putManifest(bytes, MEDIA_TYPES.ociManifest, tags), bytes, layer }
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return error instanceof SlipwayError ? error.code : `not a SlipwayError: ${String(error)}`
  }
  return 'no error'
}

export function clientSuite(title: string, peer: () => Peer): void {
  describe(title, () => {
    it('stores and gives back a blob of known digest, and sends it once', async () => {
      const repository = freshRepository(peer())
      const bytes = randomBytes(300_000)
      const source = sourceOf(bytes, 'known')
      expect(await repository.blobSize(digestOf(bytes))).toBeUndefined()
      expect(await repository.putBlob(source)).toEqual({ digest: digestOf(bytes), size: bytes.length })
      expect(await repository.putBlob(source)).toEqual({ digest: digestOf(bytes), size: bytes.length })
      expect(source.opened).toBe(1)
      expect(await repository.blobSize(digestOf(bytes))).toBe(bytes.length)
      expect((await read(repository.openBlob(digestOf(bytes), bytes.length))).equals(bytes)).toBe(true)
    })

    it('stores a blob whose digest is only known at its end', async () => {
      const repository = freshRepository(peer())
      const bytes = randomBytes(3_000_000)
      expect(await repository.putBlob(sourceOf(bytes, 'unknown'))).toEqual({
        digest: digestOf(bytes),
        size: bytes.length,
      })
      expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
    })

    it('stores empty blobs', async () => {
      const repository = freshRepository(peer())
      const empty = Buffer.alloc(0)
      expect(await repository.putBlob(sourceOf(empty, 'unknown'))).toEqual({
        digest: digestOf(empty),
        size: 0,
      })
      expect((await read(repository.openBlob(digestOf(empty), 0))).equals(empty)).toBe(true)
      const again = freshRepository(peer())
      expect(await again.putBlob(sourceOf(empty, 'known'))).toEqual({ digest: digestOf(empty), size: 0 })
    })

    it('stores blobs side by side, equal ones once', async () => {
      const repository = freshRepository(peer())
      const blobs = Array.from({ length: 6 }, () => randomBytes(200_000))
      const sources = blobs.map((bytes) => sourceOf(bytes, 'known'))
      const [first] = sources
      await Promise.all([...sources, ...sources].map((source) => repository.putBlob(source)))
      expect(first?.opened).toBe(1)
      for (const bytes of blobs)
        expect((await read(repository.openBlob(digestOf(bytes)))).equals(bytes)).toBe(true)
    })

    it('refuses a source that is not what it says', async () => {
      const repository = freshRepository(peer())
      const bytes = randomBytes(100_000)
      const wrong: BlobSource = { ...sourceOf(bytes, 'known'), digest: digestOf('something else') }
      expect(await codeOf(repository.putBlob(wrong))).toBe('OCI_DIGEST_MISMATCH')
      expect(await repository.blobSize(digestOf('something else'))).toBeUndefined()
      expect(await codeOf(repository.putBlob({ ...sourceOf(bytes, 'known'), size: bytes.length - 1 }))).toBe(
        'OCI_DIGEST_MISMATCH',
      )
      expect(await codeOf(repository.putBlob({ ...sourceOf(bytes, 'known'), size: bytes.length + 1 }))).toBe(
        'OCI_DIGEST_MISMATCH',
      )
    })

    it('hands out what a source fails with, without trying again', async () => {
      const repository = freshRepository(peer())
      let opened = 0
      const failing: BlobSource = {
        async *open() {
          opened++
          yield randomBytes(100_000)
          throw new RangeError('the disk is gone')
        },
      }
      await expect(repository.putBlob(failing)).rejects.toThrow('the disk is gone')
      expect(opened).toBe(1)
    })

    it('names a missing blob', async () => {
      const repository = freshRepository(peer())
      expect(await codeOf(read(repository.openBlob(digestOf('missing'))))).toBe('OCI_BLOB_MISSING')
    })

    it('keeps the exact bytes of a manifest, by digest and by each tag', async () => {
      const repository = freshRepository(peer())
      const { digest, bytes } = await pushImage(repository, ['one', 'two'])
      for (const name of ['one', 'two', digest]) {
        const stored = await repository.getManifest(name)
        expect(stored).toEqual({ digest, mediaType: MEDIA_TYPES.ociManifest, bytes })
        expect(await repository.manifestDigest(name)).toBe(digest)
      }
      expect([...(await repository.tags())].sort()).toEqual(['one', 'two'])
      expect(await repository.getManifest('three')).toBeUndefined()
      expect(await repository.manifestDigest('three')).toBeUndefined()
      expect(await repository.getManifest(digestOf('missing'))).toBeUndefined()
    })

    it('stores an index over manifests that have no tag', async () => {
      const repository = freshRepository(peer())
      const { digest, bytes } = await pushImage(repository, [])
      const index = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociIndex,
          manifests: [
            {
              mediaType: MEDIA_TYPES.ociManifest,
              digest,
              size: bytes.length,
              platform: { os: 'linux', architecture: 'amd64' },
            },
          ],
        }),
      )
      await repository.putManifest(index, MEDIA_TYPES.ociIndex, ['multi'])
      expect((await repository.getManifest('multi'))?.mediaType).toBe(MEDIA_TYPES.ociIndex)
    })

    it('mounts a blob from another repository, and copies where that is impossible', async () => {
      const from = freshRepository(peer())
      const to = freshRepository(peer())
      const bytes = randomBytes(50_000)
      const { digest } = await from.putBlob(sourceOf(bytes, 'unknown'))
      expect(await to.mountBlob(digest, from)).toBe(true)
      expect((await read(to.openBlob(digest))).equals(bytes)).toBe(true)
      const absent = randomBytes(1000)
      expect(await to.mountBlob(digestOf(absent), from)).toBe(false)
      expect(await to.putBlob(sourceOf(absent, 'known'))).toEqual({ digest: digestOf(absent), size: 1000 })
      expect(await to.mountBlob(digest, { ...from, origin: 'layout:/elsewhere' })).toBe(false)
    })

    it('removes a manifest where asked, and says when there is none', async () => {
      const repository = freshRepository(peer())
      const { digest } = await pushImage(repository, ['latest'])
      expect(await repository.deleteManifest(digest)).toBe(true)
      expect(await repository.getManifest(digest)).toBeUndefined()
      expect(await repository.getManifest('latest')).toBeUndefined()
      expect(await repository.deleteManifest(digest)).toBe(false)
    })

    it('finds what does not exist yet readable and writable', async () => {
      const repository = freshRepository(peer())
      await repository.verifyAccess('read')
      await repository.verifyAccess('write')
      await pushImage(repository, ['latest'])
      await repository.verifyAccess('read')
      await repository.verifyAccess('write')
    })

    it('lists what refers to an image, by the API or by an index under a tag', async () => {
      const repository = freshRepository(peer())
      const { digest, bytes } = await pushImage(repository, ['latest'])
      expect(await repository.referrers(digest)).toEqual([])
      const empty = await repository.putBlob(sourceOf(Buffer.from('{}'), 'known'))
      const attach = async (artifactType: string, note: string) => {
        const manifest = {
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociManifest,
          artifactType,
          config: { mediaType: 'application/vnd.oci.empty.v1+json', ...empty },
          layers: [],
          subject: { mediaType: MEDIA_TYPES.ociManifest, digest, size: bytes.length },
          annotations: { note },
        }
        return await repository.putManifest(
          Buffer.from(JSON.stringify(manifest)),
          MEDIA_TYPES.ociManifest,
          [],
        )
      }
      const digests = await Promise.all([
        attach('a/x', '1'),
        attach('a/x', '2'),
        attach('b/y', '3'),
        attach('b/y', '4'),
      ])
      await attach('a/x', '1')
      const all = await repository.referrers(digest)
      expect(all.map((entry) => entry.digest).sort()).toEqual([...digests].sort())
      expect(await repository.referrers(digest, 'b/y')).toHaveLength(2)
      expect(all.find((entry) => entry.digest === digests[0])).toMatchObject({
        artifactType: 'a/x',
        annotations: { note: '1' },
      })
    })

    it('reads a digest of another algorithm only when it fits', async () => {
      const repository = freshRepository(peer())
      const missing = `sha512:${createHash('sha512').update('x').digest('hex')}` as Digest
      expect(['OCI_BLOB_MISSING', 'OCI_REGISTRY_FAILED']).toContain(
        await codeOf(read(repository.openBlob(missing))),
      )
    })
  })
}
