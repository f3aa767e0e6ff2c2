import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import { parseBuild } from '../../../spec/files/build.ts'
import type { Group } from '../../../spec/files/group.ts'
import type { Report } from '../../../spec/files/report.ts'
import { escapeId } from '../../../spec/names.ts'
import type { PhaseContext } from '../../context.ts'
import { readBuildFile } from './build-file.ts'

/** `build.bom` of report.toml, which ended with Platform API 0.9: the entries of every buildpack's build.toml. */
export function legacyBom(
  { group, layersDir }: { readonly group: Group; readonly layersDir: ContainerPath },
  { root, platformApi }: PhaseContext,
): Pick<Report, 'buildBom'> {
  if (isAtLeast(platformApi, '0.9')) return {}
  const buildBom = group.group.flatMap(({ id, version }) => {
    const file = joinPath(layersDir, escapeId(id), 'build.toml')
    const text = readBuildFile(root, file)
    const entries = text === undefined ? [] : parseBuild(text, { file }).bom
    return entries.map((entry) => ({ ...entry, buildpack: { id, version } }))
  })
  return { buildBom }
}
