import type { CredentialSource } from './types.ts'

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

/** Asks a source once for each repository, also when asked for side by side; a failure is not remembered. */
export function memoised(source: CredentialSource): CredentialSource {
  const known = new Map<string, ReturnType<CredentialSource>>()
  return (registry, repository) => {
    const key = `${registry}/${repository}`
    let found = known.get(key)
    if (found === undefined) {
      found = source(registry, repository)
      known.set(key, found)
      found.catch(() => known.delete(key))
    }
    return found
  }
}
