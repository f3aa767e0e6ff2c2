import type { Reference } from '../../oci/reference.ts'

/** What the caller of a build asks for, once flags, environment and configuration are weighed (flag > environment > config file > default). */
export interface BuildRequest {
  /** The image's name as it was typed, for messages. */
  readonly name: string
  readonly image: Reference
  /** More names for the same image; in the same registry where it is published. */
  readonly tags: readonly Reference[]
  /** Folder of the source code, absolute. */
  readonly app: string
  /** Send to the registry that the name says instead of keeping the image in the local store. */
  readonly publish: boolean
  /** Variables for the buildpacks (`<platform>/env`). */
  readonly env: Readonly<Record<string, string>>
  /** Process that starts when none is named; the buildpacks decide where absent. */
  readonly defaultProcess?: string
  readonly previousImage?: Reference
  /** Ask Debian's index whether there are newer packages for the default builder first. */
  readonly refreshBuilder: boolean
  /** Forget this image's cache first. */
  readonly clearCache: boolean
  /** Read every layer again, also one that nobody touched since the last build. */
  readonly verify: boolean
  /** Of new layers: `gzip`, `zstd`, or either with a level, `zstd:6`. */
  readonly compression: string
  /** `off`: nothing of the machine's package-registry settings; `settings`: addresses, CA, proxies; `credentials`: those too. */
  readonly hostConfig: 'off' | 'settings' | 'credentials'
  readonly network: 'host' | 'none'
  /** Registries that may be spoken to without TLS or with a certificate nobody vouches for. */
  readonly insecureRegistries: readonly string[]
  /** Seconds since 1970 for `created` (`SOURCE_DATE_EPOCH`); the lifecycle's constant where absent. */
  readonly created?: number
}
