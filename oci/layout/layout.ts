import { accessSync, constants, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { SlipwayError } from '../../core/error.ts'
import { type Digest, digestOf, isDigest } from '../digest.ts'
import type { Descriptor, Repository, StoredManifest } from '../image.ts'
import { kindOf, MANIFEST_LIMIT, mediaTypeOf, parseIndex, parseManifest } from '../parse-manifest.ts'
import { openSharing, type Sharing } from '../sharing/sharing.ts'
import { type Blobs, blobStore } from './blobs.ts'
import { type IndexFile, indexFile, orMissing } from './index-file.ts'

/** An image that the layout's index names. */
export interface LayoutImage {
  /** `host/repo:tag`, or whatever a stranger wrote; undefined for an image without a name. */
  readonly name: string | undefined
  readonly descriptor: Descriptor
}

export interface Pruned {
  readonly blobs: readonly Digest[]
  /** Bytes on disk that are free now. */
  readonly bytes: number
}

/**
 * An OCI image layout on disk (image-spec, image-layout.md): many images, named by the annotation
 * `org.opencontainers.image.ref.name` with their full name. Blobs are immutable and appear by rename, the index changes as
 * {@link IndexFile} says: any number of processes may use it at once, and any of them may be killed.
 *
 * Images of Docker's media types can be kept too, but some tools (skopeo) find only those of OCI's by their names.
 */
export interface Layout {
  readonly directory: string
  /** For those who use the layout as a store of several builds. */
  readonly sharing: Sharing
  /**
   * The images of one name (`host/repo`). With the name `''` a reference is the whole name of an image, as strangers'
   * layouts have it (`skopeo copy … oci:dir:latest`).
   */
  repository(name: string): Repository
  images(): readonly LayoutImage[]
  /** Takes a name (`host/repo:tag`) away; blobs stay until {@link prune}. False where there is no such name. */
  remove(name: string): boolean
  /**
   * Removes the blobs that no image of the index needs and nobody wrote or asked for since that many milliseconds. The age
   * is what protects another process's half-stored image: give it hours, not seconds.
   */
  prune(olderThan: number): Pruned
}

const REF_NAME = 'org.opencontainers.image.ref.name'

/**
 * Opens a layout; nothing is read or made until it is used. `directory` is a path of this machine as node:fs takes it.
 * @throws SlipwayError (when used) `OCI_LAYOUT_INVALID` for a directory that is something else.
 */
export function openLayout(directory: string): Layout {
  const path = resolve(directory)
  const index = indexFile(path)
  const blobs = blobStore(path)
  const sharing = openSharing(join(path, '.slipway'))
  const images = (): readonly LayoutImage[] => {
    checkLayout(path)
    return index.read().map((descriptor) => ({ name: descriptor.annotations?.[REF_NAME], descriptor }))
  }
  return {
    directory: path,
    sharing,
    images,
    repository: (name) => layoutRepository(path, name, index, blobs, sharing),
    remove(name) {
      if (!images().some((image) => image.name === name)) return false
      index.update((manifests) => without(manifests, [name]))
      return true
    },
    prune(olderThan) {
      checkLayout(path)
      return prune(index, blobs, Date.now() - olderThan)
    },
  }
}

/** The list without some names; the very list where none of them is in it. */
function without(manifests: readonly Descriptor[], names: readonly string[]): readonly Descriptor[] {
  const kept = manifests.filter((manifest) => !names.includes(manifest.annotations?.[REF_NAME] ?? ''))
  return kept.length === manifests.length ? manifests : kept
}

function layoutRepository(
  directory: string,
  name: string,
  index: IndexFile,
  blobs: Blobs,
  { leases }: Sharing,
): Repository {
  const fullName = (tag: string) => (name === '' ? tag : `${name}:${tag}`)
  const repository: Repository = {
    name: name === '' ? `oci:${directory}` : name,
    origin: `oci:${orMissing(() => realpathSync(directory)) ?? directory}`,

    async verifyAccess(use) {
      checkLayout(directory)
      verifyAccess(directory, use)
    },
    async blobSize(digest) {
      return blobs.size(digest)
    },
    openBlob: (digest, size) => blobs.open(digest, size),
    async putBlob(source) {
      checkLayout(directory)
      const { digest } = source
      if (digest === undefined) return blobs.put(source)
      const known = () => {
        const size = blobs.size(digest)
        return size === undefined ? undefined : { digest, size }
      }
      // Others who fetch it from where it comes from wait for the first.
      return (
        known() ??
        leases.once(
          `fetch of ${digest}`,
          async () => known(),
          () => blobs.put(source),
        )
      )
    },
    async mountBlob(digest, from) {
      return from.origin === repository.origin && blobs.size(digest) !== undefined
    },

    async getManifest(reference) {
      checkLayout(directory)
      const named = index
        .read()
        .find((manifest) =>
          isDigest(reference)
            ? manifest.digest === reference
            : manifest.annotations?.[REF_NAME] === fullName(reference),
        )
      const digest = isDigest(reference) ? reference : named?.digest
      return digest === undefined ? undefined : readManifest(blobs, digest, named)
    },

    async putManifest(bytes, mediaType, tags) {
      checkLayout(directory)
      const { digest, size } = await blobs.put({
        digest: digestOf(bytes),
        size: bytes.length,
        open: () => once(bytes),
      })
      for (const needed of blobsOf(bytes, mediaType, digest)) blobs.size(needed)
      ensureLayoutFile(directory)
      const names = tags.map(fullName)
      index.update((manifests) => {
        const wanted = names.map(
          (full): Descriptor => ({ mediaType, digest, size, annotations: { [REF_NAME]: full } }),
        )
        const there = (descriptor: Descriptor) =>
          manifests.filter(
            (manifest) => manifest.annotations?.[REF_NAME] === descriptor.annotations?.[REF_NAME],
          )
        const done = wanted.every((descriptor) => {
          const same = there(descriptor)
          return same.length === 1 && same[0]?.digest === digest && same[0].mediaType === mediaType
        })
        return done ? manifests : [...without(manifests, names), ...wanted]
      })
      return digest
    },
  }
  return repository
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}

async function readManifest(
  blobs: Blobs,
  digest: Digest,
  named: Descriptor | undefined,
): Promise<StoredManifest | undefined> {
  const size = blobs.size(digest)
  if (size === undefined) {
    if (named === undefined) return undefined
    throw new SlipwayError('OCI_BLOB_MISSING', `the index names ${digest}, which is not there`, {
      subject: digest,
      class: 'infrastructure',
    })
  }
  if (size > MANIFEST_LIMIT) {
    throw new SlipwayError('OCI_MANIFEST_INVALID', `${digest} is too large to be a manifest`, {
      subject: digest,
      class: 'infrastructure',
    })
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of blobs.open(digest)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return { digest, bytes, mediaType: named?.mediaType ?? mediaTypeOf(bytes, digest) }
}

/** Removes only what was not wanted for long; what is needed is decided from a fresh index. */
function prune(index: IndexFile, blobs: Blobs, before: number): Pruned {
  const old = blobs.list().filter(({ stats }) => stats.mtimeMs < before)
  const needed = reachable(index, blobs)
  const removed = old.filter(({ digest }) => !needed.has(digest) && blobs.removeUnwanted(digest, before))
  blobs.removeLeftovers(before)
  return {
    blobs: removed.map(({ digest }) => digest),
    bytes: removed.reduce((sum, { stats }) => sum + stats.blocks * 512, 0),
  }
}

function reachable(index: IndexFile, blobs: Blobs): ReadonlySet<Digest> {
  const found = new Set<Digest>()
  const pending = index.read().map(({ digest, mediaType }) => ({ digest, mediaType }))
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next.digest)) continue
    found.add(next.digest)
    if (kindOf(next.mediaType) === undefined) continue
    const bytes = orMissing(() => readFileSync(blobs.pathOf((next as Descriptor).digest)))
    if (bytes === undefined) continue
    if (kindOf(next.mediaType) === 'index') pending.push(...parseIndex(bytes, next.digest).manifests)
    else for (const digest of blobsOf(bytes, next.mediaType, next.digest)) found.add(digest)
  }
  return found
}

/** The blobs that an image's manifest names. */
function blobsOf(bytes: Uint8Array, mediaType: string, subject: string): readonly Digest[] {
  if (kindOf(mediaType) !== 'manifest') return []
  const manifest = parseManifest(bytes, subject)
  return [manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]
}

function ensureLayoutFile(directory: string): void {
  const path = join(directory, 'oci-layout')
  if (orMissing(() => statSync(path)) !== undefined) return
  writeFileAtomically(Buffer.from(path).toString('latin1'), '{"imageLayoutVersion":"1.0.0"}')
}

const BEGINNINGS = ['.slipway', 'blobs', 'index.json']

/** A directory with other things in it is not to be written to, nor taken for an empty layout. */
function checkLayout(directory: string): void {
  if (orMissing(() => statSync(join(directory, 'oci-layout'))) !== undefined) return
  const names = orMissing(() => readdirSync(directory))
  // Ours in the making: another process may be between its first files.
  const begun = (name: string) => name.startsWith('oci-layout') || BEGINNINGS.includes(name)
  if (names?.every(begun) ?? orMissing(() => statSync(directory)) === undefined) return
  throw new SlipwayError('OCI_LAYOUT_INVALID', `${directory} is not an OCI image layout`, {
    subject: directory,
    hint: 'an image layout has a file named oci-layout; name such a directory, an empty one, or one that does not exist',
    class: 'usage',
  })
}

function verifyAccess(directory: string, use: 'read' | 'write'): void {
  let at = directory
  while (orMissing(() => statSync(at)) === undefined && dirname(at) !== at) at = dirname(at)
  if (use === 'read' && at !== directory) return
  const mode = use === 'read' ? constants.R_OK | constants.X_OK : constants.W_OK | constants.X_OK
  try {
    accessSync(at, mode)
  } catch (cause) {
    throw new SlipwayError('OCI_ACCESS_DENIED', `may not ${use} the image layout ${directory}`, {
      subject: directory,
      hint: `check the permissions of ${at}`,
      class: 'infrastructure',
      cause,
    })
  }
}
