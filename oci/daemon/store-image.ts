import { SlipwayError } from '../../core/error.ts'
import type { Digest } from '../digest.ts'
import type { Descriptor, Manifest } from '../image.ts'
import { parseConfig } from '../parse-manifest.ts'
import { type ArchiveFile, archiveTar } from './archive.ts'
import type { Chunks } from './connection.ts'
import type { DaemonImage } from './daemon.ts'
import type { Engine } from './engine.ts'
import type { DaemonLayers } from './layers.ts'
import { archiveForm } from './send-archive.ts'
import { layoutForm } from './send-layout.ts'
import type { LayerShelf } from './shelf.ts'

export interface StoreMeans {
  readonly engine: Engine
  readonly images: ReadonlyMap<Digest, DaemonImage>
  readonly layers: DaemonLayers
  readonly shelf: LayerShelf
}

export interface ImageName {
  readonly repository: string
  readonly tag: string
}

export interface ImageParts {
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array }
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: Digest }[]
  readonly names: readonly ImageName[]
}

/** What is sent for an image, and the ID that it will have. */
export interface Shipment {
  readonly id: Digest
  readonly files: readonly ArchiveFile[]
  /** Whether layers are left out that the daemon is thought to have. */
  readonly isPartial: boolean
}

/** @param partial false where everything has to be sent */
export type Form = (parts: ImageParts, means: StoreMeans, partial: boolean) => Promise<Shipment>

/**
 * Makes an image in a daemon: only named where there is the same already, else sent with the layers that the daemon
 * lacks, and with all of them where it will not have it so.
 * @returns its ID
 * @throws SlipwayError `OCI_DAEMON_REFUSED`, and what reading a layer throws
 */
export async function storeImage(
  manifest: Manifest,
  names: readonly ImageName[],
  means: StoreMeans,
): Promise<Digest> {
  const { engine, images, layers, shelf } = means
  const bytes = await collect(await layers.open(manifest.config.digest))
  const same = [...images.values()].find(({ configBytes }) => Buffer.compare(configBytes, bytes) === 0)
  if (same !== undefined) {
    for (const { repository, tag } of names) await engine.tag(same.id, repository, tag)
    return same.id
  }
  const { diff_ids: diffIds } = parseConfig(bytes, manifest.config.digest).rootfs
  const parts: ImageParts = {
    config: { digest: manifest.config.digest, bytes },
    layers: manifest.layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index] as Digest })),
    names,
  }
  const form = (await engine.imageStore()) === 'containerd' ? layoutForm : archiveForm
  const id = await ship(form, parts, means)
  shelf.keepOnly(diffIds)
  return id
}

async function ship(form: Form, parts: ImageParts, means: StoreMeans): Promise<Digest> {
  const shipment = await form(parts, means, true)
  try {
    return await load(shipment, means)
  } catch (error) {
    const code = error instanceof SlipwayError ? error.code : undefined
    // A layer from the shelf was broken, and is not there any more.
    if (code === 'OCI_DIGEST_MISMATCH') return load(await form(parts, means, true), means)
    if (code === 'OCI_DAEMON_REFUSED' && shipment.isPartial) {
      return load(await form(parts, means, false), means)
    }
    throw error
  }
}

async function load({ id, files }: Shipment, { engine }: StoreMeans): Promise<Digest> {
  await engine.load(() => archiveTar(files))
  // An archive without an error may still have come to nothing.
  if ((await engine.inspect(id)) !== undefined) return id
  throw new SlipwayError(
    'OCI_DAEMON_REFUSED',
    `the container daemon took an image and does not have it: ${id}`,
    { subject: engine.address, class: 'infrastructure' },
  )
}

async function collect(chunks: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}
