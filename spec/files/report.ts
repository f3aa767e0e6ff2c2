import { struct, writeToml } from '../toml/write.ts'
import { type BomEntry, bomStruct, readBom } from './bom.ts'
import { type FileSource, optional, orAbsent, readDocument, someOrAbsent } from './source.ts'

/** report.toml (cnb-spec §2.11): what was written, for the platform. */
export interface Report {
  readonly image: {
    /** Only the names that could be written. */
    readonly tags: readonly string[]
    /** Of a daemon, without `sha256:`. */
    readonly imageId?: string
    /** Of the manifest, where it is known. */
    readonly digest?: string
    /** Bytes of the manifest. */
    readonly manifestSize?: number
  }
  /** Only with Platform API before 0.9. */
  readonly buildBom?: readonly BomEntry[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseReport(text: string, source: FileSource): Report {
  const document = readDocument(text, source)
  const image = document.table('image')
  const build = document.table('build')
  return {
    image: {
      tags: image?.strings('tags') ?? [],
      ...optional('imageId', orAbsent(image?.text('image-id'))),
      ...optional('digest', orAbsent(image?.text('digest'))),
      ...optional('manifestSize', image?.integer('manifest-size')),
    },
    ...optional('buildBom', build && someOrAbsent(readBom(build))),
  }
}

export function writeReport(report: Report): string {
  const { tags, imageId, digest, manifestSize } = report.image
  const bom = report.buildBom ?? []
  return writeToml(
    struct({
      build: bom.length === 0 ? undefined : struct({ bom: bom.map(bomStruct) }),
      image: struct({
        tags,
        'image-id': imageId,
        digest,
        'manifest-size': manifestSize ? BigInt(manifestSize) : undefined,
      }),
    }),
  )
}
