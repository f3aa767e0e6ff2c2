import { GoMap, goJson, goMap } from '../../core/go-json.ts'
import type { Reader } from '../decode.ts'
import type { LayerTypes } from '../files/layer.ts'
import { readLayerTypes } from '../files/layer.ts'
import {
  NO_RUN_IMAGE,
  type RunImageMirrors,
  readRunImageMirrors,
  runImageMirrorsFields,
} from '../files/run.ts'
import { type FileSource, optional } from '../files/source.ts'
import type { Store } from '../files/store.ts'
import { type JsonValue, jsonToToml, readJson, tomlToJson } from '../json.ts'
import { type BuildpackId, type LayerName, parseBuildpackId, parseLayerName } from '../names.ts'
import { isTable, type TomlValue } from '../toml/value.ts'

/** A layer of an image by the digest of its uncompressed tar; empty where there is none. */
export interface LayerSha {
  readonly sha: string
}

/** A buildpack's layer as an image or a cache holds it. */
export interface LayerEntry extends LayerTypes, LayerSha {
  /** The `[metadata]` of its `<layer>.toml`. */
  readonly metadata?: TomlValue
}

/** All layers of one buildpack; kept for every participant, also without layers. */
export interface BuildpackLayers {
  readonly id: BuildpackId
  readonly version: string
  readonly layers: ReadonlyMap<LayerName, LayerEntry>
  readonly store?: Store
}

/** The run image as a rebase needs it. */
export interface RunImageForRebase extends RunImageMirrors {
  /** diffID of its last layer, below those of extensions. */
  readonly topLayer: string
  readonly reference: string
}

/** Label `io.buildpacks.lifecycle.metadata` (cnb-spec §5.6), and `[metadata]` of analyzed.toml. */
export interface LifecycleMetadata {
  readonly app: readonly LayerSha[]
  /** What an old lifecycle wrote under `app` in another shape; kept through a rebase. */
  readonly legacyApp?: JsonValue
  /** The launch SBOM layer. */
  readonly sbom?: LayerSha
  readonly buildpacks: readonly BuildpackLayers[]
  readonly config: LayerSha
  readonly launcher: LayerSha
  readonly processTypes: LayerSha
  readonly runImage: RunImageForRebase
  /** A copy of the run image's names for old platforms; always written by the reference. */
  readonly stack?: { readonly runImage: RunImageMirrors }
}

const NO_LAYER: LayerSha = { sha: '' }

/** What stands in analyzed.toml where there is no previous image. */
export const EMPTY_LIFECYCLE_METADATA: LifecycleMetadata = {
  app: [],
  buildpacks: [],
  config: NO_LAYER,
  launcher: NO_LAYER,
  processTypes: NO_LAYER,
  runImage: { ...NO_RUN_IMAGE, topLayer: '', reference: '' },
}

/** The layers of a buildpack by ID, whatever its version; undefined where it did not take part. */
export function layersOf(
  metadata: { readonly buildpacks: readonly BuildpackLayers[] },
  id: BuildpackId,
): BuildpackLayers | undefined {
  return metadata.buildpacks.find((buildpack) => buildpack.id === id)
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` also for names that could not be directories */
export function parseLifecycleMetadata(text: string, source: FileSource): LifecycleMetadata {
  const document = readJson(text, source)
  const stack = document.table('stack')
  return {
    ...readApp(document),
    ...optional('sbom', document.has('sbom') ? readSha(document.table('sbom')) : undefined),
    buildpacks: readBuildpackLayers(document, JSON_FORM),
    config: readSha(document.table('config')),
    launcher: readSha(document.table('launcher')),
    processTypes: readSha(document.table('process-types')),
    runImage: readRunImageForRebase(document.table('runImage'), 'topLayer'),
    ...optional('stack', stack && { runImage: readStackImage(stack.table('runImage')) }),
  }
}

/** @throws SlipwayError `CORE_JSON_UNWRITABLE` where a layer's metadata holds NaN or an infinity, as in the reference */
export function writeLifecycleMetadata(metadata: LifecycleMetadata): string {
  const { runImage } = metadata
  return goJson({
    app: metadata.legacyApp === undefined ? orNull(metadata.app.map(shaOf)) : goMap(metadata.legacyApp),
    sbom: metadata.sbom && shaOf(metadata.sbom),
    buildpacks: orNull(metadata.buildpacks.map(buildpackLayersJson)),
    config: shaOf(metadata.config),
    launcher: shaOf(metadata.launcher),
    'process-types': shaOf(metadata.processTypes),
    runImage: {
      topLayer: runImage.topLayer,
      reference: runImage.reference,
      ...runImageMirrorsFields(runImage),
    },
    stack: metadata.stack && { runImage: runImageMirrorsFields(metadata.stack.runImage) },
  })
}

/** How a document writes a layer's metadata. */
export interface LayersForm {
  readonly metadataKey: 'data' | 'metadata'
  readonly toToml: (value: unknown, source: FileSource) => TomlValue | undefined
}

export const JSON_FORM: LayersForm = {
  metadataKey: 'data',
  toToml: (value, source) => jsonToToml(value as JsonValue, source),
}

/** Reads `buildpacks` of a label (JSON) or of analyzed.toml. */
export function readBuildpackLayers(document: Reader, form: LayersForm): readonly BuildpackLayers[] {
  return document.tables('buildpacks').map((buildpack) => {
    const layers = buildpack.table('layers')
    const store = buildpack.table('store')
    return {
      id: buildpack.parsed('key', parseBuildpackId),
      version: buildpack.text('version'),
      layers: new Map((layers?.keys ?? []).map((name) => readLayer(layers as Reader, name, form))),
      ...optional('store', store && readStoreOf(store, form)),
    }
  })
}

function readLayer(layers: Reader, name: string, form: LayersForm): [LayerName, LayerEntry] {
  const layer = layers.table(name)
  if (layer === undefined) throw layers.invalid(name, 'expected a table, found nothing')
  const entry: LayerEntry = {
    sha: layer.text('sha'),
    ...readLayerTypes(layer),
    ...optional('metadata', convert(layer, form.metadataKey, form)),
  }
  return [layers.parsedKey(name, parseLayerName), entry]
}

function readStoreOf(store: Reader, form: LayersForm): Store {
  const metadata = convert(store, 'metadata', form)
  if (metadata === undefined) return {}
  if (!isTable(metadata)) throw store.invalid('metadata', 'expected a table')
  return { metadata }
}

function convert(table: Reader, key: string, form: LayersForm): TomlValue | undefined {
  const value = table.value(key)
  return value === undefined ? undefined : form.toToml(value, table.source)
}

export function readSha(table: Reader | undefined): LayerSha {
  return { sha: table?.text('sha') ?? '' }
}

/** Reads the run image of a label (`topLayer`) or of analyzed.toml (`top-layer`). */
export function readRunImageForRebase(
  table: Reader | undefined,
  topLayerKey: 'topLayer' | 'top-layer',
): RunImageForRebase {
  return {
    topLayer: table?.text(topLayerKey) ?? '',
    reference: table?.text('reference') ?? '',
    ...readStackImage(table),
  }
}

export function readStackImage(table: Reader | undefined): RunImageMirrors {
  return table === undefined ? NO_RUN_IMAGE : readRunImageMirrors(table)
}

function readApp(document: Reader): Pick<LifecycleMetadata, 'app' | 'legacyApp'> {
  const found = document.value('app')
  if (found === undefined) return { app: [] }
  const isCurrent =
    Array.isArray(found) && found.every((item) => isTable(item) && typeof item.sha === 'string')
  return isCurrent ? { app: document.tables('app').map(readSha) } : { app: [], legacyApp: found as JsonValue }
}

/** Go's form of a buildpack's layers. */
export function buildpackLayersJson(buildpack: BuildpackLayers): unknown {
  const layers = [...buildpack.layers].map(([name, layer]) => [name, layerJson(layer)] as const)
  return {
    key: buildpack.id,
    version: buildpack.version,
    layers: new GoMap(layers),
    store: buildpack.store && { metadata: metadataJson(buildpack.store.metadata) },
  }
}

function layerJson(layer: LayerEntry): unknown {
  const { sha, build, launch, cache } = layer
  return { sha, data: metadataJson(layer.metadata), build, launch, cache }
}

function metadataJson(metadata: TomlValue | undefined): unknown {
  return metadata === undefined ? null : tomlToJson(metadata)
}

function shaOf({ sha }: LayerSha): LayerSha {
  return { sha }
}

/** A slice that Go never filled is null. */
export function orNull<T>(items: readonly T[]): readonly T[] | null {
  return items.length === 0 ? null : items
}
