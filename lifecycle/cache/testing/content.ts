import { type Digest, digestOf } from '../../../oci/digest.ts'
import type { CacheMetadata } from '../../../spec/labels/cache-metadata.ts'
import type { LayerEntry } from '../../../spec/labels/lifecycle-metadata.ts'
import { type LayerName, parseBuildpackId, parseLayerName } from '../../../spec/names.ts'
import type { Cache, CacheWriter } from '../cache.ts'

/** What a cache is to hold, for tests: layers by name with bytes that stand for their tars. */
export type Content = Readonly<Record<string, string>>

export function shaOf(content: Content, name: string): Digest {
  return digestOf(content[name] ?? '')
}

export function metadataOf(content: Content): CacheMetadata {
  const layers = new Map<LayerName, LayerEntry>()
  for (const name of Object.keys(content)) {
    layers.set(parseLayerName(name), { sha: shaOf(content, name), launch: false, build: true, cache: true })
  }
  return {
    sbom: { sha: '' },
    buildpacks: [{ id: parseBuildpackId('test/buildpack'), version: '1.0.0', layers }],
  }
}

/** Gathers a content: what the cache has is reused, the rest written. Gives the names that were reused. */
export async function stage(writer: CacheWriter, content: Content): Promise<string[]> {
  const reused: string[] = []
  for (const [name, tar] of Object.entries(content)) {
    const sha = shaOf(content, name)
    if (await writer.reuse(sha)) {
      reused.push(name)
      continue
    }
    const sink = await writer.add()
    sink.start()
    await sink.block(Buffer.from(tar))
    await sink.finish(sha)
  }
  return reused
}

/** Stages and commits a content. */
export async function fill(cache: Cache, content: Content): Promise<string[]> {
  await using writer = await cache.begin()
  const reused = await stage(writer, content)
  await writer.commit(metadataOf(content))
  return reused
}

export async function readLayer(cache: Cache, sha: Digest): Promise<string> {
  const blocks: Buffer[] = []
  for await (const block of cache.openLayer(sha)) blocks.push(Buffer.from(block))
  return Buffer.concat(blocks).toString()
}

/** What a cache holds, every layer read and checked. */
export async function contentOf(cache: Cache): Promise<Content> {
  const { buildpacks } = await cache.metadata()
  const layers = buildpacks.flatMap((buildpack) => [...buildpack.layers])
  const entries = layers.map(
    async ([name, { sha }]) => [name, await readLayer(cache, sha as Digest)] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}
