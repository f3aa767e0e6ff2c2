import { errorChain } from '../../../../core/error.ts'
import { withRetry } from '../../../../core/http/retry.ts'
import { memoised } from '../chain.ts'
import type { Credential, CredentialSource } from '../types.ts'
import type { Identity, IdentityOptions } from './identity.ts'

/**
 * The identity that a cloud gives to a machine, a Pod or a job, as a credential for that cloud's registry (kubernetes.md
 * §5.4). A cloud is asked only about registries of its own, its code is loaded then, and its answer is kept while it is
 * valid. What cannot be had is told, and the registry is spoken to without: much in these registries is for everybody.
 */
export function cloudCredentials(
  options: IdentityOptions & {
    /** Told when an identity that was set up cannot be used. */
    readonly warn?: (message: string) => void
  },
): CredentialSource {
  const { env, now = Date.now } = options
  const http = withRetry(options.http)
  const ask = async (registry: string): Promise<Credential | undefined> => {
    for (const { name, host, load } of CLOUDS) {
      const match = host.exec(registry)
      if (match === null || env[`CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_${name.toUpperCase()}`] === 'true') continue
      try {
        const identity = await load()
        return await identity(match, { env, http, now })
      } catch (error) {
        options.warn?.(`the identity of ${name} is not used for ${registry}: ${errorChain(error)}`)
      }
    }
    return undefined
  }
  const known = memoised(ask, now)
  // One identity serves all repositories of a registry.
  return (registry) => known(registry.toLowerCase(), '')
}

interface Cloud {
  /** As `CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_<NAME>=true` has it, which turns it off (lifecycle-behaviour §6.3). */
  readonly name: 'Amazon' | 'Azure' | 'Google'
  readonly host: RegExp
  load(): Promise<Identity>
}

const CLOUDS: readonly Cloud[] = [
  {
    name: 'Amazon',
    host: /^(?:public\.ecr\.aws|\d{12}\.dkr[.-]ecr(?<fips>-fips)?\.(?<region>[a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn))$/,
    load: async () => (await import('./amazon.ts')).amazonIdentity,
  },
  {
    name: 'Azure',
    host: /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?<cloud>io|cn|us)$/,
    load: async () => (await import('./azure.ts')).azureIdentity,
  },
  {
    name: 'Google',
    host: /^(?:[a-z0-9-]+\.)?(?:gcr\.io|pkg\.dev)$/,
    load: async () => (await import('./google.ts')).googleIdentity,
  },
]
