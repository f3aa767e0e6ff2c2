// Bills of materials of what Slipway itself puts beside builds and into images: the lifecycle, and the launcher. Written
// in the three formats that the exporter copies (cnb-spec ES-2), without times or random numbers: the launcher's is part of
// every app image.
import { createHash } from 'node:crypto'

/**
 * @typedef {{name: string, version: string, purl: string, license?: string}} Component
 * @param {string} subject what the bill is of: `lifecycle`
 * @param {string} version
 * @param {readonly Component[]} components
 * @returns {Record<string, string>} texts by file name
 */
export function billsOfMaterials(subject, version, components) {
  const name = `slipway-${subject}`
  const sorted = [...components].sort((a, b) => (a.purl < b.purl ? -1 : 1))
  const text = (value) => `${JSON.stringify(value, null, 2)}\n`
  return {
    [`${subject}.sbom.cdx.json`]: text(cycloneDx(name, version, sorted)),
    [`${subject}.sbom.spdx.json`]: text(spdx(name, version, sorted)),
    [`${subject}.sbom.syft.json`]: text(syft(name, version, sorted)),
  }
}

function cycloneDx(name, version, components) {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': name, name, version } },
    components: components.map((component) => ({
      type: 'library',
      'bom-ref': component.purl,
      name: component.name,
      version: component.version,
      purl: component.purl,
      ...(component.license === undefined ? {} : { licenses: [{ expression: component.license }] }),
    })),
  }
}

function spdx(name, version, components) {
  const id = (component) => `SPDXRef-${component.name.replace(/[^A-Za-z0-9.-]/g, '-')}`
  // The format wants a namespace of its own for each document and a time: both follow from the contents.
  const digest = createHash('sha256')
    .update(JSON.stringify([name, version, components]))
    .digest('hex')
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `https://slipway.local/spdx/${digest}`,
    creationInfo: { created: '1980-01-01T00:00:01Z', creators: [`Tool: slipway-${version}`] },
    packages: [
      { name, version, id: 'SPDXRef-Subject' },
      ...components.map((component) => ({ ...component, id: id(component) })),
    ].map((entry) => ({
      SPDXID: entry.id,
      name: entry.name,
      versionInfo: entry.version,
      downloadLocation: 'NOASSERTION',
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: entry.license ?? 'NOASSERTION',
      ...(entry.purl === undefined
        ? {}
        : {
            externalRefs: [
              { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: entry.purl },
            ],
          }),
    })),
    relationships: components.map((component) => ({
      spdxElementId: 'SPDXRef-Subject',
      relationshipType: 'CONTAINS',
      relatedSpdxElement: id(component),
    })),
  }
}

function syft(name, version, components) {
  return {
    artifacts: components.map((component) => ({
      id: createHash('sha256').update(component.purl).digest('hex').slice(0, 16),
      name: component.name,
      version: component.version,
      type: component.purl.startsWith('pkg:npm/') ? 'npm' : 'binary',
      foundBy: 'slipway',
      locations: [],
      licenses:
        component.license === undefined
          ? []
          : [{ value: component.license, spdxExpression: component.license, type: 'declared' }],
      language: component.purl.startsWith('pkg:npm/') ? 'javascript' : '',
      cpes: [],
      purl: component.purl,
    })),
    artifactRelationships: [],
    source: { id: name, name, version, type: 'directory', metadata: { path: '/cnb/lifecycle' } },
    descriptor: { name: 'slipway', version },
    schema: { version: '16.0.0', url: '' },
  }
}
