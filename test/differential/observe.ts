import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { ImageConfig, Manifest } from '../../oci/image.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { layoutsOf, type StoredImage } from './layouts.ts'
import type { Lifecycle } from './lifecycles.ts'
import { listing, normalTar, normalText, sha256 } from './normal.ts'
import { OTHER_RUN_IMAGE, putRunImage, RUN_REPOSITORY } from './run-image.ts'
import type { Scenario } from './steps.ts'
import { makeWorld, own, type Parent, PLACE } from './world.ts'

/** What a lifecycle answered, in names that do not depend on where and when: data, comparable by equality. */
export interface Observation {
  readonly steps: readonly StepObservation[]
  readonly images: Readonly<Record<string, ImageObservation>>
  readonly cache: Readonly<Record<string, string>>
}

export interface StepObservation {
  readonly step: string
  readonly code: number | null
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** What changed below the layers directory since the step before; `gone` where it is no more. */
  readonly changed: Readonly<Record<string, string>>
}

export interface ImageObservation {
  readonly mediaTypes: readonly string[]
  /** Labels apart. */
  readonly config: unknown
  /** Byte for byte. */
  readonly labels: Readonly<Record<string, string>>
  /** Those above the run image, by diffID. */
  readonly layers: readonly { readonly diffId: string; readonly entries: readonly string[] }[]
}

/** Goes through the scenario's steps; `lifecycleOf` may give another lifecycle for each. */
export async function observe(
  scenario: Scenario,
  lifecycleOf: (step: number) => Lifecycle,
  parent: Parent = '/tmp',
): Promise<Observation> {
  const place = makeWorld(scenario.world, parent)
  const server = await startTestRegistry()
  const names = new Map([
    [place.directory, PLACE],
    [server.host, 'registry.test'],
  ])
  try {
    names.set(
      await putRunImage(server, scenario.runImage === undefined ? {} : { mediaTypes: scenario.runImage }),
      'sha256:(run image)',
    )
    names.set(await putRunImage(server, OTHER_RUN_IMAGE), 'sha256:(other run image)')
    const steps: StepObservation[] = []
    let before: Tree = new Map()
    for (const [index, step] of scenario.steps.entries()) {
      if ('edit' in step) {
        await step.edit(place, server)
        for (const name of readdirSync(place.directory)) own(place.path(name))
        before = treeOf(place.path('layers'))
        continue
      }
      const lifecycle = lifecycleOf(index)
      const args = step.args(place, server.host)
      const env = {
        CNB_PLATFORM_API: scenario.platformApi,
        CNB_EXTENSIONS_DIR: place.path('extensions'),
        ...step.env,
      }
      const ended = await lifecycle.run(step.phase, args, env)
      nameImages(server, place, names)
      const after = treeOf(place.path('layers'))
      steps.push({
        step: step.phase,
        code: ended.code,
        stdout: linesOf(ended.stdout, names),
        stderr: linesOf(ended.stderr, names),
        changed: difference(before, after, names),
      })
      before = after
      // Who drives the phases stops there too.
      if (ended.code !== 0) break
    }
    return { steps, images: imagesOf(server, names, place), cache: cacheOf(place, names) }
  } finally {
    await server.close()
    rmSync(place.directory, { recursive: true, force: true })
  }
}

/** Every image that there is: in the registry by its name, in a layout by its path. */
function imagesIn(server: TestRegistry, place: TestPlace): readonly StoredImage[] {
  const inRegistry = [...server.store.repositories].flatMap(([name, { tags, manifests, blobs }]) =>
    [...manifests].map(([digest, { bytes }]): StoredImage => {
      const names = [...tags].flatMap(([tag, of]) => (of === digest ? [`${name}:${tag}`] : []))
      return { repository: name, names, digest, bytes, blobs }
    }),
  )
  return [...inRegistry, ...layoutsOf(place.path('images'), place.directory)]
}

/** Compressed bytes are each one's own, so digests of images get names; layers go by what is in them. */
function nameImages(server: TestRegistry, place: TestPlace, names: Map<string, string>): void {
  for (const { repository, digest, bytes, blobs } of imagesIn(server, place)) {
    if (repository === RUN_REPOSITORY) {
      nameRunImage(digest, names)
      continue
    }
    names.set(digest, `sha256:(an image of ${repository})`)
    names.set(`manifest-size = ${bytes.length}`, `manifest-size = (right)`)
    for (const blob of blobs.values()) {
      if (!isGzip(blob)) continue
      const tar = tarOf(blob)
      names.set(sha256(tar), sha256(normalTar(tar, place.directory)))
    }
  }
  const committed = place.path('cache/committed')
  for (const name of existsSync(committed) ? readdirSync(committed) : []) {
    if (!name.endsWith('.tar')) continue
    const tar = readFileSync(join(committed, name))
    names.set(name.slice(0, -4), sha256(normalTar(tar, place.directory)))
  }
}

const isGzip = (blob: Buffer) => blob[0] === 0x1f
const tarOf = (blob: Buffer) => (isGzip(blob) ? gunzipSync(blob) : blob)

/** By their order: they never change, but what their names mean does. */
function nameRunImage(digest: string, names: Map<string, string>): void {
  if (names.has(digest)) return
  const before = [...names.values()].filter((name) => name.startsWith('sha256:(run image')).length
  names.set(digest, before === 0 ? 'sha256:(run image)' : `sha256:(run image ${before + 1})`)
}

function imagesOf(
  server: TestRegistry,
  names: ReadonlyMap<string, string>,
  place: TestPlace,
): Record<string, ImageObservation> {
  const isOfRun = (digest: string) =>
    server.store.repositories.get(RUN_REPOSITORY)?.blobs.has(digest) === true
  const images = imagesIn(server, place).filter(({ repository }) => repository !== RUN_REPOSITORY)
  const found = images.flatMap(({ names: own, bytes, blobs }) => {
    const image = observed(JSON.parse(String(bytes)) as Manifest, blobs, isOfRun, names, place.directory)
    return own.map((name) => [name, image] as const)
  })
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function observed(
  manifest: Manifest,
  blobs: StoredImage['blobs'],
  isOfRun: (digest: string) => boolean,
  names: ReadonlyMap<string, string>,
  directory: string,
): ImageObservation {
  const { config, ...rest } = JSON.parse(String(blobs.get(manifest.config.digest))) as ImageConfig
  const { Labels, ...ofContainer } = config ?? {}
  return {
    mediaTypes: [manifest.mediaType ?? '', manifest.config.mediaType].concat(
      manifest.layers.map(({ mediaType }) => mediaType),
    ),
    config: JSON.parse(normalText(JSON.stringify({ ...rest, config: ofContainer }), names)),
    labels: Object.fromEntries(
      Object.entries(Labels ?? {}).map(([key, value]) => [key, normalText(value, names)]),
    ),
    layers: manifest.layers
      .filter(({ digest }) => !isOfRun(digest))
      .map((layer) => {
        const tar = normalTar(tarOf(blobs.get(layer.digest) ?? Buffer.alloc(0)), directory)
        return { diffId: sha256(tar), entries: listing(tar) }
      }),
  }
}

/** Layers by their names alone, which are the digests of what was found in them. */
function cacheOf(place: TestPlace, names: ReadonlyMap<string, string>): Record<string, string> {
  const tree = treeOf(place.path('cache'))
  return Object.fromEntries(
    [...tree].map(([path, value]) => {
      const tar = path.endsWith('.tar')
        ? sha256(normalTar(readFileSync(place.path('cache', path)), place.directory))
        : normalText(value, names)
      return [normalText(path, names), tar]
    }),
  )
}

type Tree = ReadonlyMap<string, string>

/** Every path below a directory, as a text that says all of it. */
function treeOf(directory: string): Tree {
  const found = new Map<string, string>()
  const visit = (folder: Buffer, name: string) => {
    for (const entry of readdirSync(folder, { encoding: 'buffer' })) {
      const host = Buffer.concat([folder, Buffer.from('/'), entry])
      const path = `${name}${entry.toString('latin1')}`
      const stat = lstatSync(host)
      const mode = (stat.mode & 0o7777).toString(8)
      if (stat.isSymbolicLink()) found.set(path, `link to ${readlinkSync(host)}`)
      else if (stat.isFile()) found.set(path, `file ${mode} ${contentOf(readFileSync(host))}`)
      else found.set(path, `${stat.isDirectory() ? 'directory' : 'other'} ${mode}`)
      if (stat.isDirectory()) visit(host, `${path}/`)
    }
  }
  visit(Buffer.from(directory), '')
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function contentOf(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return bytes.length < 20_000 && Buffer.from(text).equals(bytes) ? text : sha256(bytes)
}

function difference(before: Tree, after: Tree, names: ReadonlyMap<string, string>): Record<string, string> {
  const changed: Record<string, string> = {}
  for (const [path, value] of after)
    if (before.get(path) !== value) changed[normalText(path, names)] = normalText(value, names)
  for (const path of before.keys()) if (!after.has(path)) changed[normalText(path, names)] = 'gone'
  return changed
}

const linesOf = (text: string, names: ReadonlyMap<string, string>) =>
  text === '' ? [] : normalText(text, names).replace(/\n$/, '').split('\n')
