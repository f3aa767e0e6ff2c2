import { goJson } from '../../core/go-json.ts'
import type { StackSupport } from '../files/buildpack.ts'
import type { FileSource } from '../files/source.ts'
import { readJson } from '../json.ts'
import { stackJson } from './buildpack-layers.ts'
import { orNull } from './lifecycle-metadata.ts'
import { type ModuleSummary, moduleSummaryJson, readModuleSummary } from './module-info.ts'

/** Label `io.buildpacks.buildpackage.metadata` (cnb-spec DI-23): which module a package is for. */
export interface BuildpackageMetadata extends ModuleSummary {
  readonly stacks: readonly StackSupport[]
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuildpackageMetadata(text: string, source: FileSource): BuildpackageMetadata {
  const document = readJson(text, source)
  return {
    ...readModuleSummary(document),
    stacks: document.tables('stacks').map((stack) => ({
      id: stack.text('id'),
      mixins: stack.strings('mixins') ?? [],
    })),
  }
}

export function writeBuildpackageMetadata(metadata: BuildpackageMetadata): string {
  return goJson({ ...moduleSummaryJson(metadata), stacks: orNull(metadata.stacks.map(stackJson)) })
}
