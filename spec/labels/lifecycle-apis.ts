import { goJson } from '../../core/go-json.ts'
import { type LifecycleApis, readApiSet } from '../files/lifecycle-descriptor.ts'
import type { FileSource } from '../files/source.ts'
import { readJson } from '../json.ts'

/** Label `io.buildpacks.lifecycle.apis` (cnb-spec V-51). */
export function writeLifecycleApis(apis: LifecycleApis): string {
  return goJson(lifecycleApisJson(apis))
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseLifecycleApis(text: string, source: FileSource): LifecycleApis {
  const document = readJson(text, source)
  return {
    buildpack: readApiSet(document.table('buildpack')),
    platform: readApiSet(document.table('platform')),
  }
}

export function lifecycleApisJson({ buildpack, platform }: LifecycleApis): unknown {
  return {
    buildpack: { deprecated: buildpack.deprecated, supported: buildpack.supported },
    platform: { deprecated: platform.deprecated, supported: platform.supported },
  }
}
