import { goJson } from '../../core/go-json.ts'
import type { Reader } from '../decode.ts'
import { type LifecycleApis, readApiSet } from '../files/lifecycle-descriptor.ts'
import { NO_RUN_IMAGE, type RunImageMirrors, readRunImageMirrors } from '../files/run.ts'
import type { FileSource } from '../files/source.ts'
import { readJson } from '../json.ts'
import { lifecycleApisJson } from './lifecycle-apis.ts'
import { orNull } from './lifecycle-metadata.ts'
import { type ModuleSummary, moduleSummaryJson, readModuleSummary } from './module-info.ts'

/** Label `io.buildpacks.builder.metadata` (cnb-spec DI-44): what is in a builder. */
export interface BuilderMetadata {
  readonly description: string
  readonly buildpacks: readonly ModuleSummary[]
  readonly extensions: readonly ModuleSummary[]
  /** The run image for platforms that know no list; the first of `images` as a rule. */
  readonly stackRunImage: RunImageMirrors
  readonly lifecycle: { readonly version: string; readonly apis: LifecycleApis }
  readonly createdBy: { readonly name: string; readonly version: string }
  readonly images: readonly RunImageMirrors[]
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuilderMetadata(text: string, source: FileSource): BuilderMetadata {
  const document = readJson(text, source)
  const stackImage = document.table('stack')?.table('runImage')
  const lifecycle = document.table('lifecycle')
  const createdBy = document.table('createdBy')
  return {
    description: document.text('description'),
    buildpacks: document.tables('buildpacks').map(readModuleSummary),
    extensions: document.tables('extensions').map(readModuleSummary),
    stackRunImage: stackImage === undefined ? NO_RUN_IMAGE : readRunImageMirrors(stackImage),
    lifecycle: { version: lifecycle?.text('version') ?? '', apis: readApis(lifecycle) },
    createdBy: { name: createdBy?.text('name') ?? '', version: createdBy?.text('version') ?? '' },
    images: document.tables('images').map(readRunImageMirrors),
  }
}

export function writeBuilderMetadata(metadata: BuilderMetadata): string {
  const { lifecycle, createdBy } = metadata
  return goJson({
    description: metadata.description,
    buildpacks: orNull(metadata.buildpacks.map(moduleSummaryJson)),
    extensions: orNull(metadata.extensions.map(moduleSummaryJson)),
    stack: { runImage: runImageJson(metadata.stackRunImage) },
    lifecycle: {
      version: lifecycle.version,
      api: {
        buildpack: lifecycle.apis.buildpack.supported[0] ?? null,
        platform: lifecycle.apis.platform.supported[0] ?? null,
      },
      apis: lifecycleApisJson(lifecycle.apis),
    },
    createdBy: { name: createdBy.name, version: createdBy.version },
    images: orNull(metadata.images.map(runImageJson)),
  })
}

/** Builders from before the sets of APIs have one version of each under `api`. */
function readApis(lifecycle: Reader | undefined): LifecycleApis {
  const apis = lifecycle?.table('apis')
  if (apis !== undefined) {
    return { buildpack: readApiSet(apis.table('buildpack')), platform: readApiSet(apis.table('platform')) }
  }
  const single = (kind: string) => {
    const version = lifecycle?.table('api')?.text(kind) ?? ''
    return { deprecated: [], supported: version === '' ? [] : [version] }
  }
  return { buildpack: single('buildpack'), platform: single('platform') }
}

function runImageJson({ image, mirrors }: RunImageMirrors): unknown {
  return { image, mirrors: orNull(mirrors) }
}
