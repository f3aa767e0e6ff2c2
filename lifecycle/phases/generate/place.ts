import { type ContainerPath, joinPath, parentPath } from '../../../core/container-path.ts'
import type { Root } from '../../../core/root.ts'
import { isAtLeast } from '../../../spec/api-version.ts'
import { escapeId } from '../../../spec/names.ts'
import type { PhaseContext } from '../../context.ts'
import { extendConfigOf, type GeneratedDockerfile } from './outputs.ts'

/** Whether extensions write right where the extender looks for what they generated (cnb-spec IX-16). */
export function writesInPlace({ platformApi }: Pick<PhaseContext, 'platformApi'>): boolean {
  return isAtLeast(platformApi, '0.13')
}

/**
 * Puts Dockerfiles where the extender looks for them. Those that it must not apply get another name.
 * @param generated where they are already from Platform API 0.13 on; before, `<generated>/<kind>/<extension>/Dockerfile`, with a
 * copy of extend-config.toml beside each
 */
export function placeDockerfiles(
  dockerfiles: readonly GeneratedDockerfile[],
  ignored: ReadonlySet<GeneratedDockerfile>,
  generated: ContainerPath,
  context: Pick<PhaseContext, 'platformApi' | 'root'>,
): void {
  const { root } = context
  if (writesInPlace(context)) {
    for (const { file } of ignored) root.rename(file, `${file}.ignore` as ContainerPath)
    return
  }
  // What an earlier build left would be applied again.
  for (const kind of ['build', 'run']) root.remove(joinPath(generated, kind))
  for (const dockerfile of dockerfiles)
    placeByKind(dockerfile, ignored.has(dockerfile) ? 'Dockerfile.ignore' : 'Dockerfile', generated, root)
}

function placeByKind(
  { extension, kind, file }: GeneratedDockerfile,
  name: string,
  generated: ContainerPath,
  root: Root,
): void {
  const directory = joinPath(generated, kind, escapeId(extension))
  root.write(joinPath(directory, name), root.readText(file) ?? '')
  const config = extendConfigOf(parentPath(file), root)
  if (config !== undefined) root.write(joinPath(directory, 'extend-config.toml'), config)
}
