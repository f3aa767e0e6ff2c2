import type { Reader } from '../decode.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { type FileSource, readDocument } from './source.ts'

export interface SystemBuildpack extends ModuleRef {
  /** The reference ignores it; the spec defines it (cnb-spec AMB-14). */
  readonly optional: boolean
}

/** system.toml (Platform API 0.15): buildpacks put before and after every group of the order. */
export interface System {
  readonly pre: readonly SystemBuildpack[]
  readonly post: readonly SystemBuildpack[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseSystem(text: string, source: FileSource): System {
  return readSystemSides(readDocument(text, source).table('system'))
}

/** Reads `pre` and `post`, of the file and of the builder's label. */
export function readSystemSides(system: Reader | undefined): System {
  return { pre: readSide(system?.table('pre')), post: readSide(system?.table('post')) }
}

export function writeSystem(system: System): string {
  const side = (buildpacks: readonly SystemBuildpack[]) =>
    buildpacks.length === 0
      ? undefined
      : struct({
          buildpacks: buildpacks.map(({ id, version, optional }) =>
            struct({ id, version, optional: optional || undefined }),
          ),
        })
  return writeToml(struct({ system: struct({ pre: side(system.pre), post: side(system.post) }) }))
}

function readSide(table: Reader | undefined): readonly SystemBuildpack[] {
  return (table?.tables('buildpacks') ?? []).map((buildpack) => ({
    ...readModuleRef(buildpack),
    optional: buildpack.flag('optional'),
  }))
}
