import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Emit, task } from '../../core/event.ts'
import { type Digest, digestOf, encoded } from '../../oci/digest.ts'
import type { Image, Repository } from '../../oci/image.ts'
import { type Layout, openLayout } from '../../oci/layout/layout.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { identifier, type Reference, repositoryName } from '../../oci/reference.ts'
import { applyLayer } from '../../oci/tar/extract.ts'
import { linkTree } from './link-tree.ts'

/**
 * The local image store: one OCI layout for images, builders and base images, and beside it the root file systems
 * that were unpacked from them, by chain ID. No registry and no container engine is needed.
 */
export interface ImageStore {
  readonly layout: Layout
  /** The place of a name in the store. */
  repository(reference: Reference): Repository
  /** An image of the store by its name; undefined where there is none. */
  image(reference: Reference): Promise<Image | undefined>
  /**
   * The root file system of an image as a folder on this machine, unpacked once. It is shared between builds and must
   * only ever be shown read-only.
   */
  unpack(image: Image, label: string, emit: Emit): Promise<string>
}

const LEFTOVER_AGE = 24 * 60 * 60 * 1000

export function openStore(directory: string): ImageStore {
  const layout = openLayout(directory)
  const roots = join(directory, 'roots')
  const repository = (reference: Reference): Repository => layout.repository(repositoryName(reference))
  return {
    layout,
    repository,
    image: (reference) => readImage(repository(reference), identifier(reference)),
    unpack: async (image, label, emit) => {
      const chain = chainIds(image.config.rootfs.diff_ids)
      const target = join(roots, encoded(chain.at(-1) ?? digestOf('')))
      const found = () => (existsSync(target) ? target : undefined)
      const unpack = async () => {
        await task(emit, `unpack-${image.digest}`, label, () => unpackInto(roots, target, image, chain))
        return target
      }
      // Another process that unpacks it just now is waited for: two would be slower than one.
      return (
        found() ?? layout.sharing.leases.once(`unpacking ${basename(target)}`, async () => found(), unpack)
      )
    },
  }
}

/** Chain IDs of each prefix of the layers (image-spec, Layer ChainID): equal chains are equal trees. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const above = chain.at(-1)
    chain.push(above === undefined ? diffId : digestOf(`${above} ${diffId}`))
  }
  return chain
}

async function unpackInto(
  roots: string,
  target: string,
  image: Image,
  chain: readonly Digest[],
): Promise<void> {
  mkdirSync(roots, { recursive: true })
  removeLeftovers(roots)
  const temporary = join(roots, `.${randomBytes(8).toString('hex')}`)
  try {
    // The longest part of the image that is there already is taken over by hard links: nobody writes into a root, and
    // a layer on top replaces files, it never writes through them.
    const known = chain.findLastIndex((id) => existsSync(join(roots, encoded(id))))
    mkdirSync(temporary)
    if (known >= 0) linkTree(join(roots, encoded(chain[known] as Digest)), temporary)
    for (const layer of imageLayers(image).slice(known + 1)) await applyLayer(layer.open(), temporary)
    renameSync(temporary, target)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    // Another process may have unpacked the same image meanwhile; its tree is the same.
    if (!existsSync(target)) throw error
  }
}

/** What a killed process left half-unpacked. Others may be unpacking right now, hence by age. */
function removeLeftovers(roots: string): void {
  for (const name of readdirSync(roots)) {
    const path = join(roots, name)
    if (name.startsWith('.') && Date.now() - statSync(path).mtimeMs > LEFTOVER_AGE)
      rmSync(path, { recursive: true, force: true })
  }
}
