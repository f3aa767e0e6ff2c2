import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layoutImages } from '../../lifecycle/images/layout.ts'
import type { Index } from '../../oci/image.ts'
import { parseReference } from '../../oci/reference.ts'
import { RUN_REPOSITORY, writeRunImage } from './run-image.ts'

/** The registry in the names of images that are in layouts. */
export const LAYOUT_REGISTRY = 'registry.test'

/** Puts the run image where `-layout-dir` has it. */
export async function putRunLayout(directory: string): Promise<void> {
  const reference = parseReference(`${LAYOUT_REGISTRY}/${RUN_REPOSITORY}:base`)
  await writeRunImage(layoutImages(directory).repository(reference), { mediaTypes: 'oci' })
}

/** An image as it is stored, wherever. */
export interface StoredImage {
  readonly repository: string
  readonly names: readonly string[]
  readonly digest: string
  readonly bytes: Buffer
  readonly blobs: { get(digest: string): Buffer | undefined; values(): Iterable<Buffer> }
}

/** The images in the OCI layouts below a directory, by their paths below `from`. */
export function layoutsOf(directory: string, from: string): readonly StoredImage[] {
  const entries = existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true, recursive: true })
    : []
  return entries
    .filter(({ name }) => name === 'index.json')
    .flatMap(({ parentPath }) => layoutAt(parentPath, parentPath.slice(from.length + 1)))
}

function layoutAt(path: string, name: string): readonly StoredImage[] {
  const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as Index
  const digests = readdirSync(join(path, 'blobs/sha256')).map((hex) => `sha256:${hex}`)
  const blobs = new Map(
    digests.map((digest) => [digest, readFileSync(join(path, 'blobs', digest.replace(':', '/')))]),
  )
  const repository = name.split('/').slice(2, -1).join('/')
  return index.manifests.map(({ digest, annotations = {} }) => {
    const tag = Object.entries(annotations).map(([key, value]) => ` ${key}=${value}`)
    return {
      repository,
      names: [`${name}${tag.join('')}`],
      digest,
      bytes: blobs.get(digest) ?? Buffer.alloc(0),
      blobs,
    }
  })
}
