import { type ContainerPath, joinPath, parentPath } from '../../../core/container-path.ts'
import type { Root } from '../../../core/root.ts'
import { escapeId } from '../../../spec/names.ts'
import { extendConfigOf, type GeneratedDockerfile } from './outputs.ts'

/** Where the extender looks for what extensions generated (cnb-spec IX-16). */

/** From Platform API 0.13 on it is there already; a Dockerfile that must not be applied gets another name. */
export function setAside(ignored: ReadonlySet<GeneratedDockerfile>, root: Root): void {
  for (const { file } of ignored) root.rename(file, `${file}.ignore` as ContainerPath)
}

/** Before Platform API 0.13: `<generated>/<kind>/<extension>/Dockerfile`, with a copy of extend-config.toml beside each. */
export function placeByKind(
  { extension, kind, file }: GeneratedDockerfile,
  isIgnored: boolean,
  generated: ContainerPath,
  root: Root,
): void {
  const directory = joinPath(generated, kind, escapeId(extension))
  root.write(joinPath(directory, isIgnored ? 'Dockerfile.ignore' : 'Dockerfile'), root.readText(file) ?? '')
  const config = extendConfigOf(parentPath(file), root)
  if (config !== undefined) root.write(joinPath(directory, 'extend-config.toml'), config)
}
