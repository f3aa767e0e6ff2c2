import { SlipwayError } from '../../core/error.ts'
import { type Digest, digestOf, encoded, isDigest, parseDigest } from '../digest.ts'
import type { BlobSource, PlainLayer, Repository } from '../image.ts'
import { manifestJson } from '../image-json.ts'
import { parseConfig, parseManifest } from '../parse-manifest.ts'
import { DEFAULT_REGISTRY, familiarName, type Reference, withTag } from '../reference.ts'
import { createMeter } from '../verify.ts'
import type { Engine } from './engine.ts'
import { inspectedConfig, inspectedManifest } from './inspected.ts'
import { DaemonLayers } from './layers.ts'
import { type LayerShelf, NO_SHELF } from './shelf.ts'
import { storeImage } from './store-image.ts'

/** An image that the daemon has, as it told. */
export interface DaemonImage {
  readonly id: Digest
  readonly configBytes: Uint8Array
  readonly diffIds: readonly Digest[]
}

export interface DaemonOptions {
  /** Where layers are kept beside the daemon. Default: nowhere. */
  readonly shelf?: LayerShelf
  /** For temporary files: a folder of this machine. */
  readonly temporary: string
}

/** The images of a container daemon. */
export interface Daemon extends Disposable {
  repository(reference: Reference): Repository
}

/**
 * A container daemon as a place for images. It hands out neither manifests nor compressed layers: an image's digest is its
 * ID, its layers are tars named by diffID, and what is put is sent in one archive with its manifest.
 */
export function daemonImages(engine: Engine, { shelf = NO_SHELF, temporary }: DaemonOptions): Daemon {
  const origin = `daemon:${engine.address}`
  const images = new Map<Digest, DaemonImage>()
  const blobs = new Map<Digest, BlobSource>()
  const offered = new Map<Digest, PlainLayer>()
  /** IDs of images that were put, by the digest of the manifest that was given. */
  const put = new Map<Digest, Digest>()
  const layers = new DaemonLayers({ engine, images, offered, blobs, shelf, temporary })

  const repository = (reference: Reference): Repository => ({
    name: familiarName({ registry: reference.registry, repository: reference.repository }),
    origin,
    async verifyAccess() {
      // Who reaches the daemon may do everything.
    },
    async blobSize(digest) {
      if (blobs.has(digest)) return blobs.get(digest)?.size ?? 0
      return offered.get(digest)?.size ?? (layers.isKnown(digest) ? 0 : undefined)
    },
    async *openBlob(digest) {
      const meter = createMeter(digest, { digest })
      for await (const chunk of await layers.open(digest)) {
        meter.add(chunk)
        yield chunk
      }
      meter.finish()
    },
    async putBlob(source) {
      const known = source.digest !== undefined && source.size !== undefined
      const { digest, size } = known ? (source as Required<BlobSource>) : await measure(source)
      blobs.set(digest, { ...source, digest, size })
      return { digest, size }
    },
    offerLayer: (layer) => void offered.set(layer.diffId, layer),
    async mountBlob(digest, from) {
      return from.origin === origin && (blobs.has(digest) || layers.isKnown(digest))
    },
    async getManifest(wanted) {
      const name = familiarName(
        isDigest(wanted) ? { ...reference, digest: wanted } : withTag(reference, wanted),
      )
      const found = await engine.inspect(name)
      if (found === undefined) return undefined
      const configBytes = inspectedConfig(found.image, found.history)
      const config = digestOf(configBytes)
      const diffIds = parseConfig(configBytes, name).rootfs.diff_ids
      const id = idOf(found.image.Id, name)
      images.set(id, { id, configBytes, diffIds })
      blobs.set(config, { digest: config, size: configBytes.length, open: () => once(configBytes) })
      const manifest = inspectedManifest(configBytes, config, diffIds)
      const bytes = Buffer.from(manifestJson(manifest))
      put.set(digestOf(bytes), id)
      return { digest: id, mediaType: manifest.mediaType, bytes }
    },
    async putManifest(bytes, _mediaType, tags) {
      const given = digestOf(bytes)
      const before = put.get(given)
      const names = tags.map((tag) => ({ repository: engineName(reference), tag }))
      if (before === undefined) {
        const stored = await storeImage(parseManifest(bytes, given), names, { engine, images, layers, shelf })
        put.set(given, stored)
        return stored
      }
      for (const { repository, tag } of names) await engine.tag(before, repository, tag)
      return before
    },
  })

  return {
    repository,
    [Symbol.dispose]() {
      layers[Symbol.dispose]()
      engine[Symbol.dispose]()
    },
  }
}

/** As Docker and podman write Docker Hub's names in full. */
function engineName({ registry, repository }: Reference): string {
  return `${registry === DEFAULT_REGISTRY ? 'docker.io' : registry}/${repository}`
}

function idOf(value: unknown, name: string): Digest {
  const text = String(value)
  // Old podmans leave the algorithm out.
  const id = text.includes(':') ? text : `sha256:${text}`
  if (isDigest(id)) return parseDigest(id)
  throw new SlipwayError('OCI_DAEMON_ANSWER_INVALID', `the container daemon gives ${name} no ID`, {
    subject: name,
    class: 'infrastructure',
  })
}

async function measure(source: BlobSource): Promise<{ readonly digest: Digest; readonly size: number }> {
  const meter = createMeter('a blob', source)
  for await (const chunk of source.open()) meter.add(chunk)
  return meter.finish()
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}

/** An image's ID as people and the files between phases have it. */
export function imageId(digest: Digest): string {
  return encoded(digest)
}
