import { join, relative, resolve, sep } from 'node:path'
import { digestOf, isDigest } from '../../oci/digest.ts'
import { MEDIA_TYPES, type Repository, type StoredManifest } from '../../oci/image.ts'
import { indexJson } from '../../oci/image-json.ts'
import { type Layout, openLayout } from '../../oci/layout/layout.ts'
import { DEFAULT_TAG, parseReference, type Reference } from '../../oci/reference.ts'
import type { ImageAccess } from '../context.ts'

/**
 * Images in directories (cnb-spec §5.9): each name has an OCI layout of its own below `directory`, at
 * `<registry>/<repository>/<tag>`, or `…/sha256/<hex>` for a digest alone. In the files between the phases an image is
 * `<path of its layout>@<digest>`.
 *
 * A run image may be sparse (LO-3): layers that its layout does not have are missing in the app's too.
 * @param directory path of this machine
 */
export function layoutImages(directory: string): ImageAccess {
  const root = resolve(directory)
  const pathOf = (reference: Reference) => join(root, ...placeOf(reference))
  return {
    repository: (reference) => layoutOf(pathOf(reference), `oci:${root}`),
    naming: {
      parse: (text) => parseReference(text.startsWith(`${root}${sep}`) ? nameOf(root, text) : text),
      digestName: (reference, digest) => `${pathOf(reference)}@${digest}`,
      savedName: (_, reference) => pathOf(reference),
      identity: 'path',
    },
  }
}

/** LO-1. None of the parts of a reference can be `..` or hold a separator that is not its own. */
function placeOf({ registry, repository, tag, digest }: Reference): readonly string[] {
  if (tag !== undefined || digest === undefined) return [registry, repository, tag ?? DEFAULT_TAG]
  return [registry, repository, ...digest.split(':')]
}

/** The other way round: `<root>/registry/repository/tag[@digest]` as the name that it stands for. */
function nameOf(root: string, path: string): string {
  const [place = '', digest] = path.split('@')
  const parts = relative(root, place).split(sep)
  const [algorithm, last = ''] = parts.slice(-2)
  const isDigestPlace = isDigest(`${algorithm}:${last}`)
  const base = parts.slice(0, isDigestPlace ? -2 : -1).join('/')
  if (isDigestPlace) return `${base}@${digest ?? `${algorithm}:${last}`}`
  return digest === undefined ? `${base}:${last}` : `${base}:${last}@${digest}`
}

function layoutOf(path: string, origin: string): Repository {
  const layout = openLayout(path)
  const own = layout.repository('')
  return {
    ...own,
    name: path,
    origin,
    getManifest: async (reference) =>
      (await own.getManifest(reference)) ?? (isDigest(reference) ? undefined : wholeIndex(layout)),
    mountBlob: async (digest, from) => from.origin === origin && (await from.blobSize(digest)) === undefined,
  }
}

/** What a layout holds under whatever name (AMB-27): the reader takes its only image, or the one for the platform. */
function wholeIndex(layout: Layout): StoredManifest | undefined {
  const manifests = layout.images().map(({ descriptor }) => descriptor)
  if (manifests.length === 0) return undefined
  const mediaType = MEDIA_TYPES.ociIndex
  const bytes = Buffer.from(indexJson({ schemaVersion: 2, mediaType, manifests }))
  return { digest: digestOf(bytes), mediaType, bytes }
}
