/** CycloneDX 1.5 in JSON, the same bytes for the same components: no serial number, no time, everything sorted. */

export const CYCLONE_DX_MEDIA_TYPE = 'application/vnd.cyclonedx+json'

export interface Component {
  readonly type: 'library' | 'framework' | 'application' | 'platform'
  readonly name: string
  readonly version: string
  /** `@scope` of npm, group ID of Maven. */
  readonly group?: string
  /** Package URL; also the component's reference in `dependencies`. */
  readonly purl: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  /** SPDX identifier or expression. */
  readonly license?: string
  /** CPE 2.3, for what vulnerability databases list under it. */
  readonly cpe?: string
  /** References of components that this one needs. */
  readonly dependsOn?: readonly string[]
}

export interface CycloneDx {
  /** The tool that wrote it: the buildpack. */
  readonly tool: { readonly name: string; readonly version: string }
  readonly components: readonly Component[]
}

/** The document; of components with the same package URL the first one counts, their dependencies are joined. */
export function writeCycloneDx(bom: CycloneDx): string {
  const byPurl = new Map<string, Component>()
  for (const component of bom.components) {
    const earlier = byPurl.get(component.purl)
    const dependsOn = new Set([...(earlier?.dependsOn ?? []), ...(component.dependsOn ?? [])])
    byPurl.set(component.purl, { ...(earlier ?? component), dependsOn: [...dependsOn].sort() })
  }
  const components = [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1))
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { tools: { components: [{ type: 'application', ...bom.tool }] } },
    components: components.map((component) => ({
      type: component.type,
      'bom-ref': component.purl,
      ...(component.group === undefined ? {} : { group: component.group }),
      name: component.name,
      version: component.version,
      ...(component.hashes === undefined ? {} : { hashes: component.hashes }),
      ...(component.license === undefined ? {} : { licenses: [licenseOf(component.license)] }),
      ...(component.cpe === undefined ? {} : { cpe: component.cpe }),
      purl: component.purl,
    })),
    dependencies: components
      .filter(({ dependsOn = [] }) => dependsOn.length > 0)
      .map(({ purl, dependsOn }) => ({ ref: purl, dependsOn })),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Anything but a plain SPDX identifier goes as a name, which no validator rejects. */
function licenseOf(license: string): object {
  if (/ (AND|OR|WITH) /.test(license)) return { expression: license }
  return { license: { name: license } }
}
