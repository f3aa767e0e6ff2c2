import type { Component } from './sbom.d.mts'

export interface BundleOptions {
  readonly clone: string
  /** The folder whose node_modules holds what package-lock.json names. */
  readonly dependencies: string
  readonly version: string
  /** Exists, and gets the files. */
  readonly folder: string
  /** What else the lifecycle's bill of materials has: the C library, where it is known already. */
  readonly libraries?: readonly Component[]
}

export function bundleLifecycle(options: BundleOptions): Promise<void>
