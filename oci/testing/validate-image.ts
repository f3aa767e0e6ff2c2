import { createHash } from 'node:crypto'
import { digestOf, finishDigest } from '../digest.ts'
import { type Image, MEDIA_TYPES } from '../image.ts'
import { imageLayers, imageOf } from '../read-image.ts'
import { readTar } from '../tar/reader.ts'

/**
 * Checks everything that must hold of an image by reading all of it from its repository: the manifest is stored under its
 * digest, config and layers have the sizes and digests they are announced with, contents match the diffIDs and are tars,
 * history fits the layers, media types are of one family.
 * @throws Error that lists everything that is wrong.
 */
export async function validateImage(image: Image): Promise<void> {
  const problems: string[] = []
  const check = (right: boolean, problem: string) => {
    if (!right) problems.push(problem)
  }
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  check(digestOf(image.manifestBytes) === image.digest, 'the manifest has another digest')
  await attempt('manifest', async () => {
    const stored = await image.repository.getManifest(image.digest)
    if (stored === undefined) throw new Error('not in the repository')
    check(Buffer.compare(stored.bytes, image.manifestBytes) === 0, 'the stored manifest is another one')
    check(stored.mediaType === image.mediaType, `the manifest is stored as ${stored.mediaType}`)
    const again = await imageOf(image.repository, stored, image.digest)
    check(
      Buffer.compare(again.configBytes, image.configBytes) === 0,
      'the stored configuration is another one',
    )
    check(JSON.stringify(again.config) === JSON.stringify(image.config), 'the parsed configuration differs')
    check(JSON.stringify(again.manifest) === JSON.stringify(image.manifest), 'the parsed manifest differs')
  })

  const { manifest, config } = image
  check(digestOf(image.configBytes) === manifest.config.digest, 'the configuration has another digest')
  check(image.configBytes.length === manifest.config.size, 'the configuration has another size')
  check(manifest.layers.length === config.rootfs.diff_ids.length, 'layers and diffIDs differ in number')
  if (config.history !== undefined && config.history.length > 0) {
    const withLayer = config.history.filter((entry) => entry.empty_layer !== true)
    check(withLayer.length === manifest.layers.length, 'history and layers differ in number')
  }
  const docker = image.mediaType === MEDIA_TYPES.dockerManifest
  for (const { mediaType } of [manifest.config, ...manifest.layers]) {
    check(mediaType.startsWith('application/vnd.docker.') === docker, `${mediaType} is of the other family`)
  }

  for (const layer of imageLayers(image)) {
    await attempt(layer.descriptor.digest, async () => {
      const size = await image.repository.blobSize(layer.descriptor.digest)
      check(size === layer.descriptor.size, `${layer.descriptor.digest} has ${size} bytes`)
      const hash = createHash('sha256')
      await readTar(
        tee(layer.open(), (chunk) => hash.update(chunk)),
        { entry() {}, data() {}, end() {} },
      )
      check(finishDigest(hash) === layer.diffId, `${layer.descriptor.digest} has another diffID`)
    })
  }
  if (problems.length > 0) throw new Error(`image ${image.digest} is not right:\n  ${problems.join('\n  ')}`)
}

async function* tee(
  chunks: AsyncIterable<Uint8Array>,
  seen: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    seen(chunk)
    yield chunk
  }
}
