/** SBOM files (buildpack spec; cnb-spec SB-1, SB-2, ES-1). */

export interface SbomFormat {
  /** `cdx`: in names of files. */
  readonly extension: string
  readonly mediaType: string
  /** Its name in the layers directory's `sbom/`: `sbom.cdx.json`. */
  readonly fileName: string
}

export const SBOM_FORMATS: readonly SbomFormat[] = [
  { extension: 'cdx', mediaType: 'application/vnd.cyclonedx+json', fileName: 'sbom.cdx.json' },
  { extension: 'spdx', mediaType: 'application/spdx+json', fileName: 'sbom.spdx.json' },
  { extension: 'syft', mediaType: 'application/vnd.syft+json', fileName: 'sbom.syft.json' },
]

/** What a file `<subject>.sbom.<extension>.json` in a buildpack's layers directory describes. */
export interface SbomFile {
  /** `launch`, `build`, or the name of a layer. */
  readonly subject: string
  /** Undefined: an extension that the spec does not know. */
  readonly format: SbomFormat | undefined
}

/** Reads the name of a file; undefined where it is no SBOM's. */
export function parseSbomFileName(name: string): SbomFile | undefined {
  const format = SBOM_FORMATS.find(({ fileName }) => name.endsWith(`.${fileName}`))
  if (format !== undefined) return { subject: name.slice(0, -format.fileName.length - 1), format }
  const other = /^(.*?)\.sbom\..*\.json$/s.exec(name)
  return other === null ? undefined : { subject: other[1] ?? '', format: undefined }
}

/** Whether `sbom-formats` of a buildpack names a media type; parameters (`;version=1.4`) and case do not count. */
export function declaresMediaType(declared: readonly string[], mediaType: string): boolean {
  return declared.some((entry) => (entry.split(';')[0] ?? '').trim().toLowerCase() === mediaType)
}
