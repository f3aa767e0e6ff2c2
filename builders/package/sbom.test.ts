import { expect, test } from 'vitest'
import { billsOfMaterials } from './sbom.mjs'

test('bills of materials are the same each time, name every component, and carry no time of today', () => {
  const components = [{ name: 'musl', version: '1.2.5', license: 'MIT', purl: 'pkg:generic/musl@1.2.5' }]
  const bills = billsOfMaterials('launcher', '0.1.0', components)
  expect(bills).toEqual(billsOfMaterials('launcher', '0.1.0', components))
  expect(Object.keys(bills)).toEqual([
    'launcher.sbom.cdx.json',
    'launcher.sbom.spdx.json',
    'launcher.sbom.syft.json',
  ])
  for (const text of Object.values(bills)) {
    expect(JSON.stringify(JSON.parse(text))).toContain('pkg:generic/musl@1.2.5')
    expect(text).not.toContain(String(new Date().getFullYear()))
  }
})
