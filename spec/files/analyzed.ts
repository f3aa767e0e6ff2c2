import type { Reader } from '../decode.ts'
import {
  type BuildpackLayers,
  EMPTY_LIFECYCLE_METADATA,
  type LayersForm,
  type LifecycleMetadata,
  readBuildpackLayers,
  readRunImageForRebase,
  readSha,
  readStackImage,
} from '../labels/lifecycle-metadata.ts'
import type { TomlValue } from '../toml/value.ts'
import { struct, type TomlStruct, type Writable, writeToml } from '../toml/write.ts'
import { runImageMirrorsFields, runImageMirrorsStruct } from './run.ts'
import { type FileSource, optional, orAbsent, readDocument, someOrAbsent } from './source.ts'
import { readTarget, type TargetMetadata, targetStruct } from './target.ts'

export type { TargetMetadata } from './target.ts'

export interface ImageIdentifier {
  /** A digest reference, a daemon's image ID, or `<layout path>@<digest>`. */
  readonly reference: string
}

export interface AnalyzedRunImage extends ImageIdentifier {
  /** The name that the platform or an extension gave (Platform API 0.12). */
  readonly image?: string
  /** Whether an extension adds to it. */
  readonly extend: boolean
  readonly target?: TargetMetadata
}

/** analyzed.toml (cnb-spec §2.11). */
export interface Analyzed {
  /** Absent where there is none. */
  readonly previousImage?: ImageIdentifier
  readonly buildImage?: ImageIdentifier
  readonly runImage?: AnalyzedRunImage
  /** Of the previous image. */
  readonly metadata: LifecycleMetadata
}

/** What a missing file means. */
export const EMPTY_ANALYZED: Analyzed = { metadata: EMPTY_LIFECYCLE_METADATA }

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseAnalyzed(text: string, source: FileSource): Analyzed {
  const document = readDocument(text, source)
  const runImage = document.table('run-image')
  const metadata = document.table('metadata')
  return {
    ...optional('previousImage', readIdentifier(document.table('image'))),
    ...optional('buildImage', readIdentifier(document.table('build-image'))),
    ...optional('runImage', runImage && readRunImage(runImage)),
    metadata: metadata === undefined ? EMPTY_LIFECYCLE_METADATA : readMetadata(metadata),
  }
}

export function writeAnalyzed(analyzed: Analyzed): string {
  return writeToml(
    struct({
      image: identifierStruct(analyzed.previousImage ?? { reference: '' }),
      'build-image': analyzed.buildImage && identifierStruct(analyzed.buildImage),
      metadata: metadataStruct(analyzed.metadata),
      'run-image': analyzed.runImage && runImageStruct(analyzed.runImage),
    }),
  )
}

/** An image without a reference is none; it is written as an empty text. */
function readIdentifier(table: Reader | undefined): ImageIdentifier | undefined {
  const reference = table?.text('reference') ?? ''
  return reference === '' ? undefined : { reference }
}

function identifierStruct({ reference }: ImageIdentifier): TomlStruct {
  return struct({ reference })
}

function readRunImage(table: Reader): AnalyzedRunImage {
  const target = table.table('target')
  return {
    reference: table.text('reference'),
    ...optional('image', orAbsent(table.text('image'))),
    extend: table.flag('extend'),
    ...optional('target', target && readTarget(target)),
  }
}

function runImageStruct(image: AnalyzedRunImage): TomlStruct {
  return struct({
    reference: image.reference,
    image: image.image,
    extend: image.extend || undefined,
    target: image.target && targetStruct(image.target),
  })
}

const TOML_FORM: LayersForm = { metadataKey: 'metadata', toToml: (value) => value as TomlValue }

function readMetadata(table: Reader): LifecycleMetadata {
  const stack = table.table('stack')
  return {
    app: table.tables('app').map(readSha),
    ...optional('sbom', table.has('sbom') ? readSha(table.table('sbom')) : undefined),
    buildpacks: readBuildpackLayers(table, TOML_FORM),
    config: readSha(table.table('config')),
    launcher: readSha(table.table('launcher')),
    processTypes: readSha(table.table('process-types')),
    runImage: readRunImageForRebase(table.table('run-image'), 'top-layer'),
    ...optional('stack', stack && { runImage: readStackImage(stack.table('run-image')) }),
  }
}

function metadataStruct(metadata: LifecycleMetadata): TomlStruct {
  const sha = (layer: { readonly sha: string }) => struct({ sha: layer.sha })
  return struct({
    app: someOrAbsent(metadata.app.map(sha)),
    sbom: metadata.sbom && sha(metadata.sbom),
    buildpacks: someOrAbsent(metadata.buildpacks.map(buildpackStruct)),
    config: sha(metadata.config),
    launcher: sha(metadata.launcher),
    'process-types': sha(metadata.processTypes),
    'run-image': struct({
      'top-layer': metadata.runImage.topLayer,
      reference: metadata.runImage.reference,
      ...runImageMirrorsFields(metadata.runImage),
    }),
    stack: metadata.stack && struct({ 'run-image': runImageMirrorsStruct(metadata.stack.runImage) }),
  })
}

function buildpackStruct(buildpack: BuildpackLayers): TomlStruct {
  const layers: Record<string, Writable> = Object.create(null)
  for (const [name, { sha, build, launch, cache, metadata }] of buildpack.layers) {
    layers[name] = struct({ sha, metadata, build, launch, cache })
  }
  return struct({
    key: buildpack.id,
    version: buildpack.version,
    layers,
    store: buildpack.store && struct({ metadata: buildpack.store.metadata }),
  })
}
