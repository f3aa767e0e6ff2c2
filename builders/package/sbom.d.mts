export interface Component {
  readonly name: string
  readonly version: string
  /** Package URL. */
  readonly purl: string
  /** SPDX expression. */
  readonly license?: string
}

/** Texts by file name. */
export function billsOfMaterials(
  subject: string,
  version: string,
  components: readonly Component[],
): Readonly<Record<string, string>>
