import { readFileSync } from 'node:fs'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { hostBytes } from '../../core/root.ts'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { fileIdentity, tarName, VERIFIED_FILE } from './layout.ts'

/**
 * Which tars of a cache were written by Slipway and not touched since, so that an unchanged build need not read them
 * again to trust them. The Go lifecycle drops this file with every commit of its own, and then they are read again.
 */
export function readVerified(committed: string): ReadonlyMap<Digest, string> {
  try {
    const entries = Object.entries(
      JSON.parse(readFileSync(hostBytes(`${committed}/${VERIFIED_FILE}`), 'utf8')),
    )
    return new Map(
      entries.filter(
        (entry): entry is [Digest, string] => isDigest(entry[0]) && typeof entry[1] === 'string',
      ),
    )
  } catch {
    // Missing or broken: nothing is taken on trust.
    return new Map()
  }
}

export function writeVerified(committed: string, diffIds: Iterable<Digest>): void {
  const identities = [...diffIds].map((diffId) => [diffId, fileIdentity(`${committed}/${tarName(diffId)}`)])
  writeFileAtomically(`${committed}/${VERIFIED_FILE}`, JSON.stringify(Object.fromEntries(identities)))
}
