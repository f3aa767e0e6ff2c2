import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Emit } from '../core/event.ts'
import { task } from '../core/event.ts'
import { goJson, goMap } from '../core/go-json.ts'
import { hostBytes } from '../core/root.ts'
import { digestOf } from '../oci/digest.ts'
import type { Image, ImageConfig } from '../oci/image.ts'
import type { LayerSource } from '../oci/layer-source.ts'
import type { Layout } from '../oci/layout/layout.ts'
import { imageLayers } from '../oci/read-image.ts'
import { entriesLayer, type LayerEntry } from '../oci/tar/walk.ts'
import { type AddedLayer, addedLayer, writeImage } from '../oci/write-image.ts'
import { writeLayer } from '../oci/write-layer.ts'
import { formatModuleRef } from '../spec/files/module-ref.ts'
import { type OrderGroup, writeOrder } from '../spec/files/order.ts'
import { type RunImageMirrors, writeRun, writeStack } from '../spec/files/run.ts'
import { CREATED, PACKAGES_LABEL } from './base/image.ts'
import type { Architecture } from './base/packages.ts'
import { builderLabels } from './builder-labels.ts'
import {
  type BuildpackFolder,
  buildpackDigest,
  buildpackLayer,
  readBuildpackFolder,
} from './buildpack-folder.ts'
import { type FileDigests, fileDigests } from './file-digests.ts'
import { type LifecycleFiles, lifecycleLayer, lifecyclePaths, runtimeLayer } from './lifecycle-layers.ts'
import { labelOf, placeOf, storedImage } from './names.ts'
import { copyWithoutSymbols, RUNTIME_VERSION, runtimeLibraries } from './runtime.ts'

export interface BuilderInputs {
  readonly layout: Layout
  /** Name of the builder in the layout. */
  readonly name: string
  /** Build base; the builder's configuration begins with its. */
  readonly build: Image
  /** Run image of the same distribution: the lifecycle's C library is its. */
  readonly run: Image
  readonly architecture: Architecture
  readonly lifecycle: LifecycleFiles
  /** Folders of buildpacks, latin1 paths. */
  readonly buildpacks: readonly string[]
  /** Default: the composites among the buildpacks, each alone; without one, each buildpack alone. */
  readonly order?: readonly OrderGroup[]
  /** What run.toml offers, the default first. */
  readonly runImages: readonly RunImageMirrors[]
  /** Of Slipway, and so of its lifecycle. */
  readonly version: string
  /** Where digests of files are remembered; a latin1 path. */
  readonly directory: string
  readonly emit: Emit
}

/** Digest of everything a builder was made of. */
export const INPUTS_LABEL = 'io.slipway.builder.inputs'
/** Which layer was made of what: `{"<part>": "<digest of its inputs> <diffID>"}`. */
export const PARTS_LABEL = 'io.slipway.builder.parts'

/** A layer that a builder has, what it is made of, and how. */
interface Part {
  readonly name: string
  readonly inputs: string
  readonly make: () => Promise<LayerSource> | LayerSource
  readonly large?: boolean
}

/**
 * Makes a builder image (cnb-spec §9.5): build base, runtime, lifecycle, a layer for each buildpack, order. What an
 * earlier builder of that name has of the same inputs is taken from it; where all of it is the same nothing is written.
 * @throws SlipwayError `BUILDERS_…`, `SPEC_…`, `OCI_…`
 */
export async function assembleBuilder(inputs: BuilderInputs): Promise<Image> {
  const digests = fileDigests(join(inputs.directory, 'file-digests.json'))
  const folders = inputs.buildpacks.map(readBuildpackFolder)
  const order = inputs.order ?? defaultOrder(folders)
  const parts = partsOf(inputs, folders, order, digests)
  const whole = digestOf(
    JSON.stringify([
      inputs.build.digest,
      inputs.architecture,
      inputs.version,
      inputs.runImages,
      order,
      parts.map(({ name, inputs: digest }) => [name, digest]),
    ]),
  )
  digests.save()
  const earlier = await storedImage(inputs.layout, inputs.name)
  if (earlier !== undefined && labelOf(earlier, INPUTS_LABEL) === whole) return earlier
  return task(
    inputs.emit,
    'builder',
    'Assembling the builder',
    () => write(inputs, folders, order, parts, whole, earlier),
    ({ digest }) => digest,
  )
}

async function write(
  inputs: BuilderInputs,
  folders: readonly BuildpackFolder[],
  order: readonly OrderGroup[],
  parts: readonly Part[],
  whole: string,
  earlier: Image | undefined,
): Promise<Image> {
  const { layout, name, build } = inputs
  const { repository, tag } = placeOf(layout, name)
  const made: { readonly part: Part; readonly layer: AddedLayer }[] = []
  for (const part of parts) {
    const kept = earlier === undefined ? undefined : keptLayer(earlier, part)
    const history = { created: CREATED, created_by: `slipway: ${part.name}` }
    const layer =
      kept ??
      addedLayer(
        await writeLayer(await part.make(), repository, {
          compression: part.large ? { kind: 'zstd', level: 3 } : { kind: 'gzip' },
        }),
        history,
      )
    made.push({ part, layer: { ...layer, history } })
  }
  const diffIds = new Map(made.map(({ part, layer }) => [part.name, layer.diffId as string]))
  const labels = {
    ...build.config.config?.Labels,
    ...builderLabels(inputs, folders, order, (folder) => diffIds.get(partName(folder)) ?? ''),
    [INPUTS_LABEL]: whole,
    [PARTS_LABEL]: goJson(
      goMap(Object.fromEntries(made.map(({ part, layer }) => [part.name, `${part.inputs} ${layer.diffId}`]))),
    ),
  }
  return writeImage({
    repository,
    tags: [tag],
    base: build,
    layers: made.map(({ layer }) => layer),
    config: builderConfig(build, labels),
    created: CREATED,
  })
}

function builderConfig(
  build: Image,
  labels: Readonly<Record<string, string>>,
): Omit<ImageConfig, 'rootfs' | 'history'> {
  const { rootfs: _, history: __, ...config } = build.config
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...config,
    config: { ...config.config, WorkingDir: '/layers', Labels: Object.fromEntries(sorted) },
  }
}

function partsOf(
  inputs: BuilderInputs,
  folders: readonly BuildpackFolder[],
  order: readonly OrderGroup[],
  digests: FileDigests,
): readonly Part[] {
  const { lifecycle, architecture, run, version, runImages } = inputs
  const inputsOf = (...values: readonly unknown[]): string => digestOf(JSON.stringify(values))
  const files = lifecyclePaths(lifecycle).map(([name, path]) => [name, digests.digestOf(path)])
  const configuration = configurationEntries(order, runImages)
  return [
    {
      name: 'runtime',
      inputs: inputsOf(
        RUNTIME_VERSION,
        architecture,
        labelOf(run, PACKAGES_LABEL),
        run.config.rootfs.diff_ids,
        digests.digestOf(lifecycle.node),
      ),
      make: () => makeRuntime(inputs),
      large: true,
    },
    { name: 'lifecycle', inputs: inputsOf(version, files), make: () => lifecycleLayer(lifecycle, version) },
    ...folders.map((folder) => ({
      name: partName(folder),
      inputs: buildpackDigest(folder, digests),
      make: () => buildpackLayer(folder),
    })),
    {
      name: 'configuration',
      inputs: inputsOf(configuration.map((entry) => ('content' in entry ? String(entry.content) : entry))),
      make: () => entriesLayer(configuration),
    },
  ]
}

function partName({ descriptor }: BuildpackFolder): string {
  return `buildpack ${formatModuleRef(descriptor.buildpack)}`
}

/** Node is cut in a file beside the digests: it is too large to be held in memory. */
async function makeRuntime({ directory, lifecycle, run, architecture }: BuilderInputs): Promise<LayerSource> {
  const lowest = imageLayers(run).slice(0, 1)
  const libraries = await runtimeLibraries(
    lowest.map((layer) => layer.open()),
    architecture,
  )
  const host = join(directory, `node-${randomBytes(6).toString('hex')}.tmp`)
  mkdirSync(hostBytes(directory), { recursive: true })
  return {
    async *blocks() {
      try {
        const size = copyWithoutSymbols(lifecycle.node, host)
        yield* runtimeLayer({ host, size }, libraries).blocks()
      } finally {
        rmSync(hostBytes(host), { force: true })
      }
    },
  }
}

/** A layer of an earlier builder that was made of the same inputs. */
function keptLayer(earlier: Image, part: Part): AddedLayer | undefined {
  const known: unknown = parseLabel(labelOf(earlier, PARTS_LABEL))?.[part.name]
  const [inputs, diffId] = typeof known === 'string' ? known.split(' ') : []
  if (inputs !== part.inputs) return undefined
  return imageLayers(earlier).find((layer) => layer.diffId === diffId)
}

function parseLabel(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text ?? '{}') as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}

function configurationEntries(
  order: readonly OrderGroup[],
  runImages: readonly RunImageMirrors[],
): readonly LayerEntry[] {
  const owner = { uid: 0, gid: 0 }
  const first = runImages[0] ?? { image: '', mirrors: [] }
  const files = {
    'order.toml': writeOrder({ order, orderExtensions: [] }),
    'run.toml': writeRun({ images: runImages }),
    'stack.toml': writeStack({ runImage: first }),
  }
  return [
    { type: 'directory', name: '/cnb', mode: 0o755, ...owner },
    { type: 'directory', name: '/cnb/buildpacks', mode: 0o755, ...owner },
    ...Object.entries(files).map(
      ([name, text]): LayerEntry => ({
        type: 'file',
        name: `/cnb/${name}`,
        mode: 0o644,
        content: Buffer.from(text),
        ...owner,
      }),
    ),
    { type: 'symlink', name: '/lifecycle', linkname: '/cnb/lifecycle', mode: 0o777, ...owner },
  ]
}

function defaultOrder(folders: readonly BuildpackFolder[]): readonly OrderGroup[] {
  const composites = folders.filter(({ descriptor }) => descriptor.order.length > 0)
  const chosen = composites.length > 0 ? composites : folders
  return chosen.map(({ descriptor: { buildpack } }) => ({
    group: [{ id: buildpack.id, version: buildpack.version, optional: false }],
  }))
}
