import type { Credential, CredentialSource } from './types.ts'

/** The first credential that one of the sources has, in their order (lifecycle-behaviour §6.3). */
export function credentialChain(...sources: readonly CredentialSource[]): CredentialSource {
  return async (registry, repository) => {
    for (const source of sources) {
      const credential = await source(registry, repository)
      if (credential !== undefined) return credential
    }
    return undefined
  }
}

/**
 * Asks a source once for each repository, also when asked for side by side, and again shortly before its answer expires; a
 * failure is not remembered.
 */
export function memoised(source: CredentialSource, now: () => number = Date.now): CredentialSource {
  const known = new Map<string, ReturnType<CredentialSource>>()
  const ask = (key: string, registry: string, repository: string) => {
    const found = source(registry, repository)
    known.set(key, found)
    found.catch(() => known.delete(key))
    return found
  }
  return async (registry, repository) => {
    const key = `${registry}/${repository}`
    const before = known.get(key)
    const credential = await (before ?? ask(key, registry, repository))
    if (!isOver(credential, now())) return credential
    // Somebody else may have asked meanwhile.
    const meanwhile = known.get(key)
    return await (meanwhile === before || meanwhile === undefined
      ? ask(key, registry, repository)
      : meanwhile)
  }
}

/** What is sent now must still be valid when it arrives. */
const MARGIN = 60_000

function isOver(credential: Credential | undefined, now: number): boolean {
  if (credential === undefined || credential.kind === 'bearer' || credential.expires === undefined)
    return false
  return credential.expires - MARGIN <= now
}
