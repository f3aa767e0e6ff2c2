import type { Component, CycloneDx } from '../sdk/index.ts'
import { fitsPlatform, type LockedPackage, type LockFile, resolveFrom } from './lock-file.ts'

export const TOOL = { name: 'slipway/nodejs', version: '0.1.0' }

/** What the packages layer of an image holds, from the lock file: all that is not only for development. */
export function packagesBom(lock: LockFile, cpu: string): CycloneDx {
  const shipped = lock.packages.filter(
    (one) => !one.isDev && !one.isLink && one.path.includes('node_modules/') && fitsPlatform(one, cpu),
  )
  const byPath = new Map(shipped.map((one) => [one.path, one]))
  const paths = new Set(byPath.keys())
  return {
    tool: TOOL,
    components: shipped.map((one) => {
      const needs = one.needs.flatMap((name) => {
        const found = byPath.get(resolveFrom(paths, one.path, name) ?? '')
        return found === undefined ? [] : [purl(found)]
      })
      return component(one, needs)
    }),
  }
}

function component(one: LockedPackage, dependsOn: readonly string[]): Component {
  const [scope, name] = one.name.startsWith('@') ? one.name.split('/') : [undefined, one.name]
  const hashes = hashesOf(one.integrity)
  return {
    type: 'library',
    ...(scope === undefined ? {} : { group: scope }),
    name: name ?? one.name,
    version: one.version,
    purl: purl(one),
    ...(hashes.length === 0 ? {} : { hashes }),
    ...(one.license === undefined ? {} : { license: one.license }),
    dependsOn,
  }
}

function purl(one: LockedPackage): string {
  const name = one.name.split('/').map(encodeURIComponent).join('/')
  return `pkg:npm/${name}@${encodeURIComponent(one.version)}`
}

const ALGORITHMS: Readonly<Record<string, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}

function hashesOf(integrity: string | undefined) {
  return (integrity ?? '').split(/\s+/).flatMap((entry) => {
    const [algorithm = '', digest = ''] = [
      entry.slice(0, entry.indexOf('-')),
      entry.slice(entry.indexOf('-') + 1),
    ]
    const alg = ALGORITHMS[algorithm]
    return alg === undefined ? [] : [{ alg, content: Buffer.from(digest, 'base64').toString('hex') }]
  })
}

/** The runtime itself. */
export function runtimeBom(version: string, packageName: string, integrity: string): CycloneDx {
  return {
    tool: TOOL,
    components: [
      {
        type: 'platform',
        name: 'node',
        version,
        // Built by the Node.js project, packed for the registry by others: both are said.
        purl: `pkg:npm/${packageName}@${version}`,
        cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
        license: 'MIT',
        hashes: hashesOf(integrity),
      },
    ],
  }
}
