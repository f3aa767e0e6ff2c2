import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import { GoMap, goJson } from '../../../core/go-json.ts'
import type { Root } from '../../../core/root.ts'
import type { BomEntry } from '../../../spec/files/bom.ts'
import { formatModuleRef, type ModuleRef } from '../../../spec/files/module-ref.ts'
import { tomlToJson } from '../../../spec/json.ts'
import { escapeId, fileNameOf, nameOfFile } from '../../../spec/names.ts'
import { declaresMediaType, parseSbomFileName, type SbomFormat } from '../../../spec/sbom.ts'
import type { BuiltLayer } from './layers.ts'

/** One copy to be made when all buildpacks have run. */
export interface SbomCopy {
  readonly from: ContainerPath
  /** Below `<layers>/sbom`. */
  readonly use: 'launch' | 'build' | 'cache'
  readonly buildpack: ModuleRef
  /** Absent: of the buildpack itself. */
  readonly layer?: string
  readonly format: SbomFormat
}

/**
 * The SBOM files that a buildpack left and where they belong (cnb-spec SB-1, SB-2). One for a layer that was not
 * described is passed over.
 * @throws SlipwayError `BUILD_SBOM_INVALID` for a format that is unknown or that the buildpack has not declared.
 */
export function findSboms(
  root: Root,
  directory: ContainerPath,
  buildpack: ModuleRef,
  declared: readonly string[],
  layers: readonly BuiltLayer[],
): readonly SbomCopy[] {
  return sbomFiles(root, directory).flatMap(({ path, sbom }) => {
    const layer = layers.find(({ name }) => name === sbom.subject)
    const uses = usesOf(sbom.subject, layer)
    if (uses.length === 0) return []
    const format = checkedFormat(sbom.format, path, buildpack, declared)
    return uses.map((use) => ({
      from: path,
      use,
      buildpack,
      format,
      ...(layer === undefined ? {} : { layer: layer.name }),
    }))
  })
}

/** Whether a buildpack wrote any file that is named like an SBOM. */
export function hasSbomFiles(root: Root, directory: ContainerPath): boolean {
  return sbomFiles(root, directory).length > 0
}

function sbomFiles(root: Root, directory: ContainerPath) {
  return root.list(directory).flatMap((entry) => {
    const sbom = parseSbomFileName(nameOfFile(entry.name))
    return sbom === undefined ? [] : [{ path: joinPath(directory, entry.name), sbom }]
  })
}

function usesOf(subject: string, layer: BuiltLayer | undefined): readonly SbomCopy['use'][] {
  if (subject === 'launch' || subject === 'build') return [subject]
  if (layer === undefined) return []
  return [layer.types.launch ? 'launch' : 'build', ...(layer.types.cache ? (['cache'] as const) : [])]
}

function checkedFormat(
  format: SbomFormat | undefined,
  path: ContainerPath,
  buildpack: ModuleRef,
  declared: readonly string[],
): SbomFormat {
  const file = nameOfFile(path)
  if (format === undefined) throw invalid(file, `unsupported SBOM file format: '${file}'`)
  if (declaresMediaType(declared, format.mediaType)) return format
  throw invalid(
    file,
    `validating SBOM file '${file}' for buildpack: '${formatModuleRef(buildpack)}': undeclared SBOM media type: '${format.mediaType}'`,
    `Add ${format.mediaType} to sbom-formats in the buildpack's buildpack.toml.`,
  )
}

function invalid(file: string, message: string, hint?: string): SlipwayError {
  return new SlipwayError('BUILD_SBOM_INVALID', message, {
    subject: file,
    class: 'buildpack',
    ...(hint === undefined ? {} : { hint }),
  })
}

const MAX_SBOM_BYTES = 128 << 20

/**
 * Copies the SBOM files to `<layers>/sbom/<use>/<buildpack>/[<layer>/]sbom.<format>.json`. Links are followed inside the
 * root: what is copied is contents.
 * @throws SlipwayError `BUILD_SBOM_INVALID` for what is no file or larger than 128 MiB.
 */
export function copySboms(root: Root, layersDir: ContainerPath, copies: readonly SbomCopy[]): void {
  for (const { from, use, buildpack, layer, format } of copies) {
    const parts = layer === undefined ? [] : [fileNameOf(layer)]
    const directory = joinPath(layersDir, 'sbom', use, escapeId(buildpack.id), ...parts)
    const state = root.stat(from)
    const file = nameOfFile(from)
    if (!state?.isFile()) throw invalid(file, `SBOM file '${file}' is not a file`)
    if (state.size > MAX_SBOM_BYTES) throw invalid(file, `SBOM file '${file}' is larger than 128 MiB`)
    root.write(joinPath(directory, format.fileName), root.read(from) ?? '')
  }
}

/** Writes the legacy bills of materials, as the reference always does from Platform API 0.9 on (cnb-spec SB-3). */
export function writeLegacyBoms(
  root: Root,
  layersDir: ContainerPath,
  boms: { readonly launch: readonly BomEntry[]; readonly build: readonly BomEntry[] },
): void {
  for (const use of ['launch', 'build'] as const) {
    root.write(joinPath(layersDir, 'sbom', use, 'sbom.legacy.json'), `${legacyBom(boms[use])}\n`)
  }
}

function legacyBom(entries: readonly BomEntry[]): string {
  if (entries.length === 0) return 'null'
  return goJson(
    entries.map(({ name, metadata, buildpack }) => ({
      name,
      metadata:
        metadata === undefined
          ? null
          : new GoMap(Object.entries(metadata).map(([key, value]) => [key, tomlToJson(value)])),
      buildpack: { id: buildpack?.id ?? '', version: buildpack?.version ?? '' },
    })),
  )
}
