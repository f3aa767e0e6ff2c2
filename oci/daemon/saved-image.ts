import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { layerMediaType } from '../compress.ts'
import { compressionOf } from '../decompress.ts'
import { type Digest, isDigest } from '../digest.ts'
import type { Descriptor } from '../image.ts'
import { parseConfig } from '../parse-manifest.ts'
import { readTar } from '../tar/reader.ts'

const BLOCK = 1 << 20
/** Lists and configurations are far below. */
const JSON_LIMIT = 16 * 2 ** 20

/** A layer as an image's archive has it: a tar, or one that is compressed. */
export interface SavedLayer {
  readonly descriptor: Descriptor
  open(): Iterable<Uint8Array>
}

/** The layers of an image that a daemon saved, in a file that has no name any more. */
export interface SavedImage extends Disposable {
  layer(diffId: Digest): SavedLayer | undefined
}

interface Extent {
  readonly name: string
  readonly start: number
  readonly size: number
}

const BLOB = /^blobs\/(sha256)\/([0-9a-f]{64})$/

/** In the form of a layout a file is named by its digest, in the older ones it is the tar. */
function describe(file: number, extent: Extent, diffId: Digest): Descriptor {
  const [, algorithm, hex] = BLOB.exec(extent.name) ?? []
  const name = `${algorithm}:${hex}`
  const digest = isDigest(name) ? name : diffId
  const head = Buffer.alloc(4)
  readSync(file, head, 0, Math.min(head.length, extent.size), extent.start)
  return { mediaType: layerMediaType({ kind: compressionOf(head) }), digest, size: extent.size }
}

/**
 * Keeps the archive of one image (`docker save`, in any of its forms) so that its layers can be read in any order: only
 * at its end does it say which file is which layer.
 * @param directory for the temporary file
 * @throws SlipwayError `OCI_DAEMON_ARCHIVE_INVALID`, `OCI_TAR_…`
 */
export async function keepSavedImage(
  archive: AsyncIterable<Uint8Array>,
  directory: string,
): Promise<SavedImage> {
  const path = join(directory, `slipway-saved-${randomBytes(8).toString('hex')}`)
  const file = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
    const files = await spool(archive, file)
    const layers = layersOf(files, (extent) =>
      Buffer.concat([...read(file, extent)].map((b) => Buffer.from(b))),
    )
    return {
      layer: (diffId) => {
        const extent = layers.get(diffId)
        return extent && { descriptor: describe(file, extent, diffId), open: () => read(file, extent) }
      },
      [Symbol.dispose]: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

async function spool(
  archive: AsyncIterable<Uint8Array>,
  file: number,
): Promise<ReadonlyMap<string, Extent | string>> {
  const files = new Map<string, Extent | string>()
  let end = 0
  await readTar(archive, {
    entry(entry) {
      const name = normal(entry.name)
      if (entry.type === 'file') files.set(name, { name, start: end, size: entry.size })
      // Old forms name a layer by a link to where it stood first.
      else if (entry.type === 'symlink') files.set(name, normal(join(name, '..', entry.linkname)))
    },
    data(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const written = writeSync(file, bytes, at, bytes.length - at, end)
        at += written
        end += written
      }
    },
    end() {},
  })
  return files
}

function normal(name: string): string {
  return join('/', name).slice(1)
}

function layersOf(
  files: ReadonlyMap<string, Extent | string>,
  readAll: (extent: Extent) => Uint8Array,
): ReadonlyMap<Digest, Extent> {
  const find = (name: string): Extent => {
    const found = files.get(normal(name))
    const extent = typeof found === 'string' ? files.get(found) : found
    if (typeof extent === 'object') return extent
    throw invalid(`it has no ${name}`)
  }
  const text = (name: string) => {
    const extent = find(name)
    if (extent.size > JSON_LIMIT) throw invalid(`${name} has ${extent.size} bytes`)
    return readAll(extent)
  }
  const [image, ...others] = imagesOf(text('manifest.json'))
  if (image === undefined || others.length > 0) throw invalid('it does not hold exactly one image')
  const diffIds = parseConfig(text(image.config), image.config).rootfs.diff_ids
  if (diffIds.length !== image.layers.length) throw invalid('its layers are not those of its configuration')
  return new Map(diffIds.map((diffId, index) => [diffId, find(image.layers[index] as string)]))
}

function imagesOf(bytes: Uint8Array): readonly { config: string; layers: readonly string[] }[] {
  const value = parsed(bytes)
  if (!Array.isArray(value)) throw invalid('manifest.json is no list')
  return value.map((entry: { Config?: unknown; Layers?: unknown } | null) => {
    const layers = entry?.Layers ?? []
    if (typeof entry?.Config !== 'string' || !Array.isArray(layers) || !layers.every(isText)) {
      throw invalid('manifest.json does not say what an image is made of')
    }
    return { config: entry.Config, layers }
  })
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw invalid('manifest.json is not JSON')
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** A block is valid until the next one is asked for. */
function* read(file: number, { start, size }: Extent): Generator<Uint8Array, void> {
  const block = Buffer.allocUnsafe(Math.min(BLOCK, size))
  for (let at = 0; at < size; ) {
    const got = readSync(file, block, 0, Math.min(block.length, size - at), start + at)
    if (got === 0) throw invalid('its end is missing')
    at += got
    yield block.subarray(0, got)
  }
}

function invalid(reason: string): SlipwayError {
  return new SlipwayError(
    'OCI_DAEMON_ARCHIVE_INVALID',
    `what the container daemon saved is no image: ${reason}`,
    {
      class: 'infrastructure',
    },
  )
}
