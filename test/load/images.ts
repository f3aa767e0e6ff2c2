import { randomBytes } from 'node:crypto'
import type { Image } from '../../oci/image.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import { entriesLayer } from '../../oci/tar/walk.ts'
import { type AddedLayer, addedLayer, writeImage } from '../../oci/write-image.ts'
import { writeLayer } from '../../oci/write-layer.ts'

export interface LoadImage {
  /** With registry and tag. */
  readonly name: string
  readonly image: Image
}

/** Bytes of the layers that all images have, that those of one family have, and that one has alone. */
const SIZES = { shared: [2 << 20, 1 << 20, 256 << 10], family: 128 << 10, own: 16 << 10 }

/**
 * Images that share layers as those of a company do: one base, a few families, and something of their own. They stand in
 * fewer repositories than there are images, under several tags.
 */
export async function makeImages(
  store: string,
  host: string,
  { images, repositories }: { readonly images: number; readonly repositories: number },
): Promise<readonly LoadImage[]> {
  const layout = openLayout(store)
  const anywhere = layout.repository('made')
  let layers = 0
  const layer = async (size: number): Promise<AddedLayer> => {
    const content = randomBytes(size)
    const owner = { uid: 0, gid: 0 }
    const entry = { type: 'file', name: `/file-${++layers}`, mode: 0o644, content, ...owner } as const
    return addedLayer(await writeLayer(entriesLayer([entry]), anywhere))
  }
  const shared: AddedLayer[] = []
  for (const size of SIZES.shared) shared.push(await layer(size))
  const families: AddedLayer[] = []
  for (let at = 0; at < 4; at++) families.push(await layer(SIZES.family))
  const made: LoadImage[] = []
  for (let at = 0; at < images; at++) {
    const name = `${host}/load/app-${at % repositories}:${Math.floor(at / repositories)}`
    const reference = parseReference(name)
    const image = await writeImage({
      repository: layout.repository(repositoryName(reference)),
      tags: [reference.tag ?? ''],
      layers: [...shared, families[at % families.length] as AddedLayer, await layer(SIZES.own)],
      config: { os: 'linux', architecture: 'amd64', config: { Labels: { number: String(at) } } },
    })
    made.push({ name, image })
  }
  return made
}
