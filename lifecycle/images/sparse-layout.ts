import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import type { Root } from '../../core/root.ts'
import { algorithm, encoded } from '../../oci/digest.ts'
import { type Image, MEDIA_TYPES } from '../../oci/image.ts'
import { indexJson } from '../../oci/image-json.ts'

/**
 * Writes manifest and configuration of an image as an OCI layout of its own, without its layers: what an extender needs to
 * know of the image that it adds to (cnb-spec IX-40).
 */
export function writeSparseLayout(
  { digest, mediaType, manifest, manifestBytes, configBytes }: Image,
  directory: ContainerPath,
  root: Root,
): void {
  const blob = (of: typeof digest) => joinPath(directory, 'blobs', algorithm(of), encoded(of))
  root.write(blob(manifest.config.digest), configBytes)
  root.write(blob(digest), manifestBytes)
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [{ mediaType, size: manifestBytes.length, digest }],
  } as const
  root.write(joinPath(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  // Last: with it the image is there.
  root.write(joinPath(directory, 'index.json'), indexJson(index))
}
