import type { Reader } from '../decode.ts'
import type { TomlValue } from '../toml/value.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type FileSource, optional, readDocument } from './source.ts'

/** What a layer is for. */
export interface LayerTypes {
  /** In the image. */
  readonly launch: boolean
  /** In the environment of later buildpacks. */
  readonly build: boolean
  /** Restored before the next build. */
  readonly cache: boolean
}

/** `<layer>.toml` (buildpack spec, layer content metadata). */
export interface LayerContent extends LayerTypes {
  /** The buildpack's own; a table where the buildpack follows the spec. */
  readonly metadata?: TomlValue
}

/**
 * Reads `<layer>.toml`. Without types all flags are false.
 * @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID`; flags outside of `[types]` are one (cnb-spec BU-5).
 */
export function parseLayerContent(text: string, source: FileSource): LayerContent {
  const document = readDocument(text, source)
  for (const flag of ['launch', 'build', 'cache']) {
    if (document.has(flag)) {
      throw document.invalid(
        flag,
        `the launch, cache and build flags should be in the types table of ${source.file}`,
      )
    }
  }
  const types = document.table('types')
  return {
    ...(types === undefined ? NO_TYPES : readLayerTypes(types)),
    ...optional('metadata', document.value('metadata') as TomlValue | undefined),
  }
}

/** As a buildpack writes it: with its types. */
export function writeLayerContent(content: LayerContent): string {
  const { launch, build, cache, metadata } = content
  return writeToml(struct({ types: struct({ launch, build, cache }), metadata }))
}

/** As the restorer writes it: without `[types]`, so that a buildpack must opt in again (cnb-spec LR-2). */
export function writeRestoredLayerContent(content: Pick<LayerContent, 'metadata'>): string {
  return writeToml(struct({ metadata: content.metadata }))
}

export const NO_TYPES: LayerTypes = { launch: false, build: false, cache: false }

export function readLayerTypes(table: Reader): LayerTypes {
  return { launch: table.flag('launch'), build: table.flag('build'), cache: table.flag('cache') }
}
