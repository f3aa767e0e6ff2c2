import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { EventBody } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import type { LayerSource } from '../../../oci/layer-source.ts'
import { normalizedLayer } from '../../../oci/tar/normalize.ts'
import { directoryLayer, type LayerOwner, listTree, pathsLayer } from '../../../oci/tar/walk.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import type { GroupElement } from '../../../spec/files/group.ts'
import type { LayerContent } from '../../../spec/files/layer.ts'
import type { BuildMetadata } from '../../../spec/files/metadata.ts'
import { formatModuleRef } from '../../../spec/files/module-ref.ts'
import type { Store } from '../../../spec/files/store.ts'
import type { CacheMetadata } from '../../../spec/labels/cache-metadata.ts'
import { type LifecycleMetadata, layersOf } from '../../../spec/labels/lifecycle-metadata.ts'
import { type LayerName, nameOfFile } from '../../../spec/names.ts'
import type { PhaseContext } from '../../context.ts'
import type { ExtensionLayer } from '../../images/extended-image.ts'
import { type BuildpackDirectory, type FoundLayer, readBuildpackDirectory } from './buildpack-layers.ts'
import { type Launcher, launcherLayer, processTypesLayer } from './launcher.ts'
import type { RecallKey } from './recall.ts'
import { readAppTree, sliceApp } from './slices.ts'

export type LayerKind = Extract<EventBody, { type: 'layer-exported' }>['kind']

/** Which part of the metadata the layer belongs to. */
export type LayerPart =
  | {
      readonly kind: 'buildpack'
      readonly buildpack: GroupElement
      readonly name: LayerName
      readonly content: LayerContent
    }
  | { readonly kind: Exclude<LayerKind, 'buildpack'> }

/** One layer of the image or of the cache or of both. */
export interface LayerPlan {
  /** As logs name it. */
  readonly id: string
  readonly part: LayerPart
  /** Absent: the buildpack left no contents, and the layer of the previous image is taken as it is (cnb-spec RU-1). */
  readonly source?: LayerSource
  /** The source is a directory of the build's own: what is known of it need not be read again. */
  readonly recall?: RecallKey
  /** Absent: not in the image. */
  readonly image?: {
    /** For the history of the image. */
    readonly createdBy: string
    /** diffIDs of the previous image that this layer may turn out to be. */
    readonly previous: readonly string[]
  }
  /** Absent: not in the cache. */
  readonly cache?: { readonly previous: string }
}

export interface ExportPlan {
  /** In the order of the image (cnb-spec EX-2), those for the cache alone last. */
  readonly layers: readonly LayerPlan[]
  readonly stores: ReadonlyMap<string, Store>
}

export interface PlanInputs {
  readonly group: readonly GroupElement[]
  readonly metadata: BuildMetadata
  readonly previous: LifecycleMetadata
  /** Absent where there is no cache. */
  readonly cached?: CacheMetadata
  readonly appDir: ContainerPath
  readonly layersDir: ContainerPath
  readonly owner: { readonly uid: number; readonly gid: number }
  readonly launcher: Launcher
  /** What extensions put on the run image. */
  readonly extensionLayers: readonly ExtensionLayer[]
}

/**
 * Decides which layers there are, before anything is written: what a buildpack left in a wrong form fails here.
 * @throws SlipwayError `EXPORT_LAYER_…`, and what unreadable files throw
 */
export function planLayers(inputs: PlanInputs, context: PhaseContext): ExportPlan {
  const { layersDir, appDir } = inputs
  const owner: LayerOwner = { ...inputs.owner, owned: [layersDir, appDir] }
  const stores = new Map<string, Store>()
  const buildpackLayers = inputs.group.flatMap((buildpack) => {
    const directory = readBuildpackDirectory(context.root, layersDir, buildpack)
    requireReadable(directory)
    if (directory.store !== undefined) stores.set(buildpack.id, directory.store)
    return directory.layers.flatMap((layer) => planBuildpackLayer(layer, buildpack, owner, inputs, context))
  })
  const layers = [
    ...inputs.extensionLayers.map(planExtensionLayer),
    ...buildpackLayers.filter(({ image }) => image !== undefined),
    ...planSbom('launch', owner, inputs, context),
    ...planApp(owner, inputs, context),
    ...planLauncher(owner, inputs, context),
    ...buildpackLayers.filter(({ image }) => image === undefined),
    ...(inputs.cached === undefined ? [] : planSbom('cache', owner, inputs, context)),
  ]
  return { layers, stores }
}

function planExtensionLayer({ createdBy, layer }: ExtensionLayer, index: number): LayerPlan {
  const [, extension = 'from extensions'] = /, Created by extension: (.+)$/s.exec(createdBy) ?? []
  return {
    id: `${extension}:extended-layer-${index + 1}`,
    part: { kind: 'extension' },
    source: normalizedLayer(() => layer.open()),
    image: { createdBy, previous: [] },
  }
}

/** RU-3 */
function requireReadable({ path, layers }: BuildpackDirectory): void {
  const malformed = layers.filter(({ content }) => content instanceof SlipwayError)
  if (malformed.length === 0) return
  const reasons = malformed.map(({ content }) => (content as SlipwayError).message).join('; ')
  throw new SlipwayError(
    'EXPORT_LAYER_MALFORMED',
    `failed to parse metadata for layers '[${malformed.map(({ id }) => id).join(' ')}]': ${reasons}`,
    { subject: path, class: 'buildpack' },
  )
}

function planBuildpackLayer(
  layer: FoundLayer,
  buildpack: GroupElement,
  owner: LayerOwner,
  inputs: PlanInputs,
  { root, emit }: PhaseContext,
): LayerPlan[] {
  const { content, id, name } = layer
  if (content instanceof SlipwayError || !(content.launch || content.cache)) return []
  if (!layer.hasContents && content.cache) {
    if (content.launch) throw withoutContents(id)
    if (inputs.cached !== undefined)
      emit({ type: 'warning', message: `Failed to cache layer '${id}' because it has no contents` })
    return []
  }
  if (layer.hasContents) requireInside(layer, inputs.layersDir, root)
  const previous = layersOf(inputs.previous, buildpack.id)?.layers.get(name)
  if (!layer.hasContents && previous === undefined) throw neverBuilt(id)
  const image = {
    createdBy: `Layer: '${name}', Created by buildpack: ${formatModuleRef(buildpack)}`,
    previous: known(previous?.sha),
  }
  const cached = inputs.cached && layersOf(inputs.cached, buildpack.id)?.layers.get(name)
  const isCached = content.cache && inputs.cached !== undefined
  if (!content.launch && !isCached) return []
  return [
    {
      id,
      part: { kind: 'buildpack', buildpack, name, content },
      ...(layer.hasContents
        ? {
            source: directoryLayer(root, layer.path, owner),
            recall: recallKey(layer.path, owner),
          }
        : {}),
      ...(content.launch ? { image } : {}),
      ...(isCached ? { cache: { previous: cached?.sha ?? '' } } : {}),
    },
  ]
}

/** A layer that is a link to another place would be an image's link to what the image may not have. */
function requireInside({ id, path }: FoundLayer, layersDir: ContainerPath, root: Root): void {
  const place = root.locate(path)
  if (place.startsWith(`${root.locate(layersDir)}/`)) return
  const [shown, target] = [path, place].map(nameOfFile)
  throw new SlipwayError(
    'EXPORT_LAYER_OUTSIDE',
    `layer '${id}' is a link out of the layers directory: ${shown} leads to ${target}`,
    {
      subject: path,
      hint: 'A buildpack has to put the files of its layer into the layer’s own directory.',
      class: 'buildpack',
    },
  )
}

function planSbom(
  kind: 'launch' | 'cache',
  owner: LayerOwner,
  { layersDir, previous, cached }: PlanInputs,
  { root, platformApi }: PhaseContext,
): LayerPlan[] {
  const directory = joinPath(layersDir, 'sbom', kind)
  if (!isAtLeast(platformApi, '0.8') || !(root.stat(directory)?.isDirectory() ?? false)) return []
  const common = {
    id: `buildpacksio/lifecycle:${kind}.sbom`,
    part: { kind: 'sbom' },
    source: directoryLayer(root, directory, owner),
  } as const
  return kind === 'launch'
    ? [{ ...common, image: { createdBy: 'Software Bill-of-Materials', previous: known(previous.sbom?.sha) } }]
    : [{ ...common, cache: { previous: cached?.sbom.sha ?? '' } }]
}

/**
 * n slices are n+1 layers, some of them possibly empty (cnb-spec §5.3). Without slices the app is listed when its layer is
 * read, which it may not need to be.
 */
function planApp(
  owner: LayerOwner,
  { appDir, metadata, previous }: PlanInputs,
  { root }: PhaseContext,
): LayerPlan[] {
  const shas = previous.app.flatMap(({ sha }) => known(sha))
  const plan = (index: number, createdBy: string, source: LayerSource): LayerPlan => ({
    id: `slice-${index}`,
    part: { kind: 'app' },
    source,
    image: { createdBy, previous: shas },
  })
  if (metadata.slices.length === 0) {
    const source = pathsLayer(root, appDir, () => listTree(root, appDir), owner)
    return [{ ...plan(1, 'Application Layer', source), recall: recallKey(appDir, owner) }]
  }
  return sliceApp(readAppTree(root, appDir), metadata.slices).map((paths, index) =>
    plan(index + 1, `Application Slice: ${index + 1}`, pathsLayer(root, appDir, paths, owner)),
  )
}

function recallKey(path: ContainerPath, owner: LayerOwner): RecallKey {
  return { path, owner: [owner.uid, owner.gid, ...owner.owned].join(':') }
}

function planLauncher(
  owner: LayerOwner,
  { layersDir, metadata, previous, launcher }: PlanInputs,
  { root }: PhaseContext,
): LayerPlan[] {
  const plan = (
    kind: 'launcher' | 'config' | 'process-types',
    source: LayerSource,
    createdBy: string,
    sha: string,
  ): LayerPlan => ({
    id: `buildpacksio/lifecycle:${kind}`,
    part: { kind },
    source,
    image: { createdBy, previous: known(sha) },
  })
  const config = directoryLayer(root, joinPath(layersDir, 'config'), owner)
  return [
    plan('launcher', launcherLayer(launcher), 'Buildpacks Application Launcher', previous.launcher.sha),
    plan('config', config, 'Buildpacks Launcher Config', previous.config.sha),
    ...(metadata.processes.length === 0
      ? []
      : [
          plan(
            'process-types',
            processTypesLayer(metadata.processes),
            'Buildpacks Process Types',
            previous.processTypes.sha,
          ),
        ]),
  ]
}

function known(sha: string | undefined): string[] {
  return sha === undefined || sha === '' ? [] : [sha]
}

function withoutContents(id: string): SlipwayError {
  return new SlipwayError('EXPORT_LAYER_EMPTY', `layer '${id}' is cache=true but has no contents`, {
    subject: id,
    hint: 'A cached layer is restored with its contents; a buildpack that keeps only its metadata must not say cache = true.',
    class: 'buildpack',
  })
}

function neverBuilt(id: string): SlipwayError {
  return new SlipwayError(
    'EXPORT_LAYER_UNKNOWN',
    `cannot reuse '${id}', previous image has no metadata for layer '${id}'`,
    {
      subject: id,
      hint: 'The buildpack made no directory for this layer, so it would be taken from the previous image.',
      class: 'buildpack',
    },
  )
}
