import { SlipwayError } from '../../core/error.ts'
import { goJson } from '../../core/go-json.ts'
import { type Digest, encoded } from '../digest.ts'
import { type Descriptor, MEDIA_TYPES } from '../image.ts'
import { indexJson } from '../image-json.ts'
import { encodeHeader, paddingOf, TAR_BLOCK } from '../tar/header.ts'
import type { Chunks } from './connection.ts'

/** A file of an archive. */
export interface ArchiveFile {
  readonly name: string
  readonly size: number
  open(): Chunks
}

/** An archive for a daemon as a stream. @throws SlipwayError `OCI_FILE_CHANGED` where a file has not its size */
export async function* archiveTar(files: readonly ArchiveFile[]): AsyncGenerator<Uint8Array, void> {
  for (const { name, size, open } of files) {
    yield encodeHeader({ type: 'file', name, mode: 0o644, uid: 0, gid: 0, size })
    let left = size
    for await (const chunk of open()) {
      left -= chunk.length
      if (left < 0) break
      yield chunk
    }
    if (left !== 0) throw changed(name)
    yield Buffer.alloc(paddingOf(size))
  }
  yield Buffer.alloc(2 * TAR_BLOCK)
}

export function fileOf(name: string, bytes: Uint8Array): ArchiveFile {
  return { name, size: bytes.length, open: () => [bytes] }
}

/**
 * The list of files that `docker load` knows: a configuration, the names of the layers' files from the lowest on, and the
 * names that the image gets.
 */
export function dockerArchive(
  config: { readonly digest: Digest; readonly bytes: Uint8Array },
  layers: readonly ArchiveFile[],
  names: readonly string[],
): readonly ArchiveFile[] {
  const configName = `${encoded(config.digest)}.json`
  const list = [{ Config: configName, RepoTags: names, Layers: layers.map(({ name }) => name) }]
  return [
    ...new Map(layers.map((layer) => [layer.name, layer])).values(),
    fileOf(configName, config.bytes),
    fileOf('manifest.json', Buffer.from(goJson(list))),
  ]
}

/** containerd names an image by this annotation of the index. */
const IMAGE_NAME = 'io.containerd.image.name'
const REF_NAME = 'org.opencontainers.image.ref.name'

/** An OCI layout (image-spec, image-layout.md) as an archive; blobs that the daemon has need not be among the files. */
export function layoutArchive(
  manifest: { readonly digest: Digest; readonly bytes: Uint8Array },
  blobs: readonly (Pick<Descriptor, 'digest' | 'size'> & { open(): Chunks })[],
  names: readonly { readonly name: string; readonly tag: string }[],
): readonly ArchiveFile[] {
  const descriptor = {
    mediaType: MEDIA_TYPES.ociManifest,
    digest: manifest.digest,
    size: manifest.bytes.length,
  }
  const manifests =
    names.length === 0
      ? [descriptor]
      : names.map(({ name, tag }) => ({
          ...descriptor,
          annotations: { [IMAGE_NAME]: name, [REF_NAME]: tag },
        }))
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests } as const
  const unique = new Map(blobs.map((blob) => [blob.digest, blob]))
  return [
    fileOf('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
    ...[...unique.values()].map(({ digest, size, open }) => ({ name: blobName(digest), size, open })),
    fileOf(blobName(manifest.digest), manifest.bytes),
    fileOf('index.json', Buffer.from(indexJson(index))),
  ]
}

function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}

function changed(name: string): SlipwayError {
  return new SlipwayError('OCI_FILE_CHANGED', `a layer changed while it was sent: ${name}`, {
    subject: name,
    hint: 'something still writes to its directory; build again when nothing does',
    class: 'user',
  })
}
