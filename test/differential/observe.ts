import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createHttpClient } from '../../core/http/index.ts'
import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { ImageConfig, Manifest } from '../../oci/image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { randomImage } from '../../oci/testing/index.ts'
import type { MediaTypes } from '../../oci/write-image.ts'
import type { Lifecycle } from './lifecycles.ts'
import { listing, normalTar, normalText, sha256 } from './normal.ts'
import type { Scenario } from './scenarios.ts'
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

const RUN_LAYERS = 2

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
    await putRunImages(server, names, scenario.runImage)
    const steps: StepObservation[] = []
    let before: Tree = new Map()
    for (const [index, step] of scenario.steps.entries()) {
      if ('edit' in step) {
        await step.edit(place, server.host)
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
    return { steps, images: imagesOf(server, names, place.directory), cache: cacheOf(place, names) }
  } finally {
    await server.close()
    rmSync(place.directory, { recursive: true, force: true })
  }
}

/** `run:base`, and another one that extensions may switch to. */
async function putRunImages(
  server: TestRegistry,
  names: Map<string, string>,
  mediaTypes: MediaTypes = 'docker',
): Promise<void> {
  const http = createHttpClient({})
  try {
    const common = {
      repository: createRegistry({ http }).repository(parseReference(`${server.host}/run`)),
      layers: RUN_LAYERS,
      mediaTypes,
      platform: { os: 'linux', architecture: 'amd64' },
    }
    const image = await randomImage({
      ...common,
      tags: ['base'],
      config: {
        User: '1000:1000',
        Env: ['PATH=/usr/bin:/bin', 'CNB_STACK_ID=io.test.stack', 'WITH_EQUALS=a=b'],
        Cmd: ['/bin/sh'],
        Labels: {
          'io.buildpacks.stack.id': 'io.test.stack',
          'io.buildpacks.base.distro.name': 'debian',
          'io.buildpacks.base.distro.version': '13',
          'io.buildpacks.rebasable': 'true',
          'of.the.base': 'kept & <escaped>',
        },
      },
    })
    names.set(image.digest, 'sha256:(run image)')
    const other = await randomImage({
      ...common,
      tags: ['other'],
      seed: 2,
      config: {
        Env: ['PATH=/other'],
        Labels: { 'io.buildpacks.base.distro.name': 'other', 'io.buildpacks.base.distro.version': '1' },
      },
    })
    names.set(other.digest, 'sha256:(other run image)')
  } finally {
    await http.close()
  }
}

/** Compressed bytes are each one's own, so digests of images get names; layers go by what is in them. */
function nameImages(server: TestRegistry, place: TestPlace, names: Map<string, string>): void {
  for (const [name, { manifests, blobs }] of server.store.repositories) {
    if (name === 'run') continue
    for (const [digest, { bytes }] of manifests) {
      names.set(digest, `sha256:(an image of ${name})`)
      names.set(`manifest-size = ${bytes.length}`, `manifest-size = (right)`)
    }
    for (const blob of blobs.values()) {
      if (blob[0] !== 0x1f) continue
      const tar = gunzipSync(blob)
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

function imagesOf(
  server: TestRegistry,
  names: ReadonlyMap<string, string>,
  directory: string,
): Record<string, ImageObservation> {
  const found: Record<string, ImageObservation> = {}
  for (const [name, { tags, manifests, blobs }] of server.store.repositories) {
    if (name === 'run') continue
    for (const [tag, digest] of [...tags].sort()) {
      const manifest = JSON.parse(String(manifests.get(digest)?.bytes)) as Manifest
      const { config, ...rest } = JSON.parse(String(blobs.get(manifest.config.digest))) as ImageConfig
      const { Labels, ...ofContainer } = config ?? {}
      found[`${name}:${tag}`] = {
        mediaTypes: [manifest.mediaType ?? '', manifest.config.mediaType].concat(
          manifest.layers.map(({ mediaType }) => mediaType),
        ),
        config: JSON.parse(normalText(JSON.stringify({ ...rest, config: ofContainer }), names)),
        labels: Object.fromEntries(
          Object.entries(Labels ?? {}).map(([key, value]) => [key, normalText(value, names)]),
        ),
        layers: manifest.layers.slice(RUN_LAYERS).map((layer) => {
          const tar = normalTar(gunzipSync(blobs.get(layer.digest) ?? Buffer.alloc(0)), directory)
          return { diffId: sha256(tar), entries: listing(tar) }
        }),
      }
    }
  }
  return found
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
