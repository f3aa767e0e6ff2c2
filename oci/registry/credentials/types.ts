/**
 * Who we are to a registry. Values live only in the process that talks to it and never reach a log. Its source is asked
 * anew after `expires` (milliseconds since 1970).
 */
export type Credential =
  | {
      readonly kind: 'basic'
      readonly username: string
      readonly password: string
      readonly expires?: number
    }
  /** A refresh token (`identitytoken`, `X-Identity`, user `<token>` of a helper): it buys bearer tokens. */
  | {
      readonly kind: 'identity-token'
      readonly token: string
      readonly username?: string
      readonly expires?: number
    }
  /** Sent as it is (`registrytoken`, `CNB_REGISTRY_AUTH` with `Bearer`). */
  | { readonly kind: 'bearer'; readonly token: string }

/**
 * Finds the credential for a repository, or undefined for anonymous access (cnb-spec AU-3).
 * `registry` is the host with port as in `Reference.registry`, `repository` the path below it.
 */
export type CredentialSource = (registry: string, repository: string) => Promise<Credential | undefined>
